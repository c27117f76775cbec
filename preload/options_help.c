#include "preload/options.h"

const char options_usage[] =
    "usage: smolwrap [options] [--via TUNNEL] [--] PROGRAM [ARGUMENT ...]\n"
    "       smolwrap [options] --via TUNNEL --socks|-L|-R ...\n"
    "       smolwrap up|down|status [-s NAME] [options]\n"
    "       smolwrap check [PROGRAM]\n";

const char options_help[] =
    "Runs PROGRAM with its TCP and UDP sockets and its name look-ups moved into\n"
    "a tunnel.  Nothing leaves by this host's own network.\n"
    "\n"
    "  --via ssh://[USER@]HOST[:PORT]  the tunnel: any OpenSSH server\n"
    "  -i, --identity FILE     private key to log in with\n"
    "  --known-hosts FILE      host keys to trust\n"
    "  -p, --profile NAME      section of ~/.config/smolwrap/config\n"
    "  -s, --session NAME      use the session that `smolwrap up -s NAME` keeps\n"
    "  --publish [BIND:]PORT[:LOCALPORT]\n"
    "                          the program's LOCALPORT is served on the server's PORT\n"
    "  --listen loopback|deny|tunnel   who may reach sockets that listen\n"
    "  --stack thread|session  where the program's network stack runs\n"
    "  --dns HOST              resolver, seen from the server, for raw queries\n"
    "  --no-loopback           no way to services of this machine either\n"
    "  --inherit               accept internet sockets inherited from the caller\n"
    "  --no-drain              do not wait for unsent data after the program's end\n"
    "  --no-seatbelt           debugging only: what is not caught may leak\n"
    "  --wait                  keep trying until the tunnel is up\n"
    "  -v, --verbose           log to standard error (see SMOLWRAP_LOG)\n"
    "  --help, --version\n"
    "\n"
    "Exit status: the program's own; 125 when smolwrap itself failed, 126 when\n"
    "PROGRAM could not be run, 127 when it was not found.\n";
