<?php
/**
 * The connect string.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Connection;

/** The operator gives it to the merchant: "tillsync1." and base64url of {"url", "account_id", "token"}. */
final class ConnectString {

	private const PREFIX = 'tillsync1.';

	private function __construct(
		public readonly string $url,
		public readonly string $account_id,
		#[\SensitiveParameter] public readonly string $token
	) {}

	/**
	 * Parses a pasted string. It ignores spaces and line breaks, which mail programs insert.
	 *
	 * @throws ConnectError With a sentence for the merchant. It never quotes the string.
	 */
	public static function parse( #[\SensitiveParameter] string $text ): self {
		$text = (string) preg_replace( '/\s+/', '', $text );
		if ( '' === $text ) {
			throw new ConnectError( __( 'Paste the connect string that your tillsync operator gave you.', 'tillsync-bridge' ) );
		}
		if ( 0 !== strncmp( $text, self::PREFIX, strlen( self::PREFIX ) ) ) {
			throw new ConnectError( __( 'This is not a connect string: it must begin with "tillsync1.". Copy the whole line.', 'tillsync-bridge' ) );
		}
		$body    = base64_decode( strtr( substr( $text, strlen( self::PREFIX ) ), '-_', '+/' ), true ); // phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions
		$decoded = false === $body ? null : json_decode( $body, true );
		if ( ! is_array( $decoded ) ) {
			throw new ConnectError( __( 'The connect string is incomplete or damaged: copy the whole line again.', 'tillsync-bridge' ) );
		}
		$url        = self::text( $decoded, 'url' );
		$account_id = self::text( $decoded, 'account_id' );
		$token      = self::text( $decoded, 'token' );
		// The token is sent in a header, so a line break in it would add further headers.
		if ( ! preg_match( '/^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/D', $account_id ) || ! preg_match( '/^[\x21-\x7e]{1,512}$/D', $token ) ) {
			throw new ConnectError( __( 'The connect string is incomplete or damaged: copy the whole line again.', 'tillsync-bridge' ) );
		}
		return new self( self::address( $url ), $account_id, $token );
	}

	/** @return array<string, string> Properties that var_dump and error handlers may print. */
	public function __debugInfo(): array {
		return array( 'url' => $this->url, 'account_id' => $this->account_id );
	}

	/** @param array<mixed> $decoded The decoded JSON object. */
	private static function text( array $decoded, string $name ): string {
		$value = $decoded[ $name ] ?? '';
		return is_string( $value ) ? $value : '';
	}

	/** Checks the address. Each request carries the token, so plain http is allowed only for this machine. */
	private static function address( string $url ): string {
		$parts = wp_parse_url( $url );
		if ( ! is_array( $parts ) || ! in_array( $parts['scheme'] ?? '', array( 'https', 'http' ), true ) || '' === ( $parts['host'] ?? '' )
			|| preg_match( '/[\x00-\x20\x7f\\\\]/', $url ) || isset( $parts['user'] ) || isset( $parts['query'] ) || isset( $parts['fragment'] ) ) {
			throw new ConnectError( __( 'The connect string names no usable address of a service: ask your tillsync operator for a new one.', 'tillsync-bridge' ) );
		}
		$is_local = in_array( strtolower( trim( $parts['host'], '[]' ) ), array( 'localhost', '127.0.0.1', '::1' ), true );
		if ( 'http' === $parts['scheme'] && ! $is_local && ! ( defined( 'TILLSYNC_ALLOW_HTTP' ) && TILLSYNC_ALLOW_HTTP ) ) {
			throw new ConnectError( __( 'The service has an address without encryption (http): ask your tillsync operator for one with https.', 'tillsync-bridge' ) );
		}
		return rtrim( $url, '/' );
	}
}
