#include "tests/rig/unit.h"

#include "mix/prim.h"

int
unit_prim_init(void **state)
{
	(void)state;
	return prim_init();
}
