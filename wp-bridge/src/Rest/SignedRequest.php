<?php
/**
 * The signature check of the service's requests.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Connection\CopyGuard;
use WP_Error;
use WP_REST_Request;

/**
 * The permission callback of every wc-tillsync/v1 route. It accepts only the service's HMAC signature, never a cookie and never the
 * Authorization header, which web servers drop.
 *
 * X-Tillsync-Timestamp has unix seconds, at most 300 away from this server's clock, so that a recorded request expires. A repeated request
 * within that time does no harm, because every write carries a version or a sequence. X-Tillsync-Signature has "v1=" and the hex
 * HMAC-SHA256 over version, timestamp, effective method, route without query, and the hash of the body.
 */
final class SignedRequest {

	private const WINDOW_SECONDS = 300;
	private const VERSION        = 'v1';

	public function __construct(
		private readonly ConnectionStore $connections,
		private readonly CopyGuard $copy_guard,
		private readonly Clock $clock
	) {}

	/**
	 * Serves as `permission_callback`.
	 *
	 * @return true|WP_Error
	 */
	public function permission( WP_REST_Request $request ) {
		$connection = $this->connections->current();
		return $this->check( $request, null === $connection ? array() : array( $connection->bridge_secret ) );
	}

	/**
	 * Serves as `permission_callback` of the status route. During a connect the pending secret is valid too.
	 *
	 * @return true|WP_Error
	 */
	public function status_permission( WP_REST_Request $request ) {
		$pending = $this->connections->pending_secret();
		if ( null !== $pending && true === $this->verify( $request, array( $pending ) ) ) {
			return true;
		}
		return $this->permission( $request );
	}

	/** Returns the value of the signature header. `$method` is the effective method, and `$route` is the result of get_route(). */
	public static function signature( #[\SensitiveParameter] string $secret, string $timestamp, string $method, string $route, string $body ): string {
		$text = implode( "\n", array( self::VERSION, $timestamp, $method, $route, hash( 'sha256', $body ) ) );
		return self::VERSION . '=' . hash_hmac( 'sha256', $text, $secret );
	}

	/**
	 * @param string[] $secrets Valid secrets.
	 * @return true|WP_Error
	 */
	private function check( WP_REST_Request $request, #[\SensitiveParameter] array $secrets ) {
		$verified = $this->verify( $request, $secrets );
		// invariant: copies-accept-nothing
		if ( true === $verified && $this->copy_guard->must_choose() ) {
			return new WP_Error(
				'tillsync_site_differs',
				'This site is not where it was connected: its merchant must first say whether it is a copy or has moved.',
				array( 'status' => 403 )
			);
		}
		return $verified;
	}

	/**
	 * @param string[] $secrets Valid secrets.
	 * @return true|WP_Error
	 */
	private function verify( WP_REST_Request $request, #[\SensitiveParameter] array $secrets ) {
		$timestamp = (string) $request->get_header( 'X-Tillsync-Timestamp' );
		$given     = (string) $request->get_header( 'X-Tillsync-Signature' );
		if ( '' === $timestamp || '' === $given ) {
			return self::forbidden( 'X-Tillsync-Timestamp and X-Tillsync-Signature are required.' );
		}
		if ( ! preg_match( '/^\d{1,12}$/D', $timestamp ) ) {
			return self::forbidden( 'X-Tillsync-Timestamp is not a time in unix seconds.' );
		}
		// invariant: recorded-requests-expire
		if ( abs( $this->clock->now() - (int) $timestamp ) > self::WINDOW_SECONDS ) {
			return self::forbidden( sprintf( "X-Tillsync-Timestamp is more than %d seconds away from the shop's clock.", self::WINDOW_SECONDS ) );
		}
		foreach ( $secrets as $secret ) {
			$expected = self::signature( $secret, $timestamp, $request->get_method(), $request->get_route(), (string) $request->get_body() );
			// invariant: signatures-are-verified
			if ( '' !== $secret && hash_equals( $expected, $given ) ) {
				return true;
			}
		}
		return self::forbidden( 'X-Tillsync-Signature does not match.' );
	}

	private static function forbidden( string $message ): WP_Error {
		return new WP_Error( 'rest_forbidden', $message, array( 'status' => 401 ) );
	}
}
