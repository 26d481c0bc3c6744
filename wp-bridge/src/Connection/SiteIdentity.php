<?php
/**
 * Where this site is.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Connection;

/** What tells a shop from its copy. */
final class SiteIdentity {

	/**
	 * The home address as it is set, not as home_url() gives it: language plugins and is_ssl() change that one from request to request.
	 */
	public static function home_url(): string {
		return self::normalised( (string) get_option( 'home' ) );
	}

	/** "production" unless the site says otherwise. */
	public static function environment(): string {
		return wp_get_environment_type();
	}

	public static function is_production(): bool {
		return 'production' === self::environment();
	}

	/** Letter case of the host and a slash at the end do not make another place. */
	public static function normalised( string $url ): string {
		$url = rtrim( trim( $url ), '/' );
		return (string) preg_replace_callback( '#^[a-z][a-z0-9+.-]*://[^/]*#i', static fn( array $found ) => strtolower( $found[0] ), $url );
	}
}
