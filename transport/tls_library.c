/* What the TLS client and server have in common of mbedTLS. */
#include "transport/tls_stream.h"

#include <mbedtls/error.h>
#include <mbedtls/psa_util.h>
#include <psa/crypto.h>
#include <pthread.h>
#include <stdio.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static psa_status_t status;

static void
init(void)
{
	status = psa_crypto_init();
}

int
tls_library_init(void)
{
	(void)pthread_once(&once, init);
	return status == PSA_SUCCESS ? SW_OK : SW_ERR_SYS;
}

/* As browsers list them: what hardware does first.  For 1.2 only suites with
 * forward secrecy and authenticated encryption. */
static const int suites[] = {
	MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
	MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
	MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	0
};

int
tls_config_init(mbedtls_ssl_config *conf, int ends)
{
	if (tls_library_init() != SW_OK ||
	    mbedtls_ssl_config_defaults(conf, ends,
	    MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT) != 0)
		return SW_ERR_SYS;
	mbedtls_ssl_conf_min_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_2);
	mbedtls_ssl_conf_max_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_3);
	mbedtls_ssl_conf_ciphersuites(conf, suites);
	mbedtls_ssl_conf_rng(conf, mbedtls_psa_get_random,
	    MBEDTLS_PSA_RANDOM_STATE);
	return SW_OK;
}

void
tls_describe(int mbed_err, char *out, size_t room)
{
	switch (mbed_err) {
	case 0:
	case MBEDTLS_ERR_SSL_CONN_EOF:
	case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
		snprintf(out, room, "the connection was closed");
		break;
	case MBEDTLS_ERR_SSL_INVALID_RECORD:
	case MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE:
		snprintf(out, room, "what answers there does not speak TLS");
		break;
	case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION:
		snprintf(out, room, "it offers neither TLS 1.3 nor TLS 1.2");
		break;
	case MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE:
		snprintf(out, room, "there is no cipher that both sides take");
		break;
	case MBEDTLS_ERR_SSL_NO_APPLICATION_PROTOCOL:
		snprintf(out, room, "there is no application protocol (ALPN) "
		    "that both sides take");
		break;
	case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
		snprintf(out, room, "it refused the handshake (a fatal alert)");
		break;
	default:
		mbedtls_strerror(mbed_err, out, room);
	}
}
