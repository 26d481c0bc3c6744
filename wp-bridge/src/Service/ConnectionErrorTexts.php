<?php
/**
 * Sentences for connection errors.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Service;

/**
 * Explains why a request did not reach the service. WordPress has one code for every failed request ("http_request_failed"). The cause is
 * only in the message of its two transports, cURL and streams. No other class parses that message.
 */
final class ConnectionErrorTexts {

	/**
	 * @param string $error_text WordPress's message, for example "cURL error 52: Empty reply from server".
	 * @param string $url  The service's address.
	 * @return string|null The meaning and the remedy. Null where the message explains itself.
	 */
	public static function sentence( string $error_text, string $url ): ?string {
		$is_tls = 0 === stripos( $url, 'https://' );
		if ( self::says( $error_text, array( 6 ), 'getaddrinfo' ) ) {
			return __( 'no host of the name in the service\'s address is known: ask your tillsync operator for a new connect string', 'tillsync-bridge' );
		}
		if ( self::says( $error_text, array( 7 ), 'Connection refused' ) ) {
			return __( 'nothing listens at the service\'s address: the service does not run, or TILLSYNC_PUBLIC_URL names another port than the one of TILLSYNC_HTTP_LISTEN', 'tillsync-bridge' );
		}
		if ( $is_tls && self::says( $error_text, array(), 'wrong version number' ) ) {
			return __( 'the service\'s address begins with https://, but plain text is spoken there: TILLSYNC_PUBLIC_URL must begin with http://, or the service needs TLS', 'tillsync-bridge' );
		}
		if ( $is_tls && self::says( $error_text, array( 51, 60 ), 'certificate verify failed', 'did not match the requested domain name' ) ) {
			return __( 'this web server does not trust the service\'s certificate: it must be issued for the name in TILLSYNC_PUBLIC_URL, and TILLSYNC_TLS_CERT_FILE must hold the whole chain', 'tillsync-bridge' );
		}
		if ( ! self::says( $error_text, array( 1, 52, 56 ), 'Response could not be parsed' ) ) {
			return null;
		}
		return $is_tls
			? __( 'what listens at the service\'s address speaks no HTTP: TILLSYNC_PUBLIC_URL must name the HTTP port (TILLSYNC_HTTP_LISTEN), not the gRPC port', 'tillsync-bridge' )
			: __( 'what listens at the service\'s address speaks no plain HTTP: TILLSYNC_PUBLIC_URL must begin with https:// where the service has TLS, and must name the HTTP port (TILLSYNC_HTTP_LISTEN), not the gRPC port', 'tillsync-bridge' );
	}

	/** @param array<int, int> $curl_errors cURL's error numbers, which are the same in every language and release. */
	private static function says( string $error_text, array $curl_errors, string ...$texts ): bool {
		if ( preg_match( '/^cURL error (\d+):/', $error_text, $found ) && in_array( (int) $found[1], $curl_errors, true ) ) {
			return true;
		}
		foreach ( $texts as $text ) {
			if ( false !== stripos( $error_text, $text ) ) {
				return true;
			}
		}
		return false;
	}
}
