<?php
/**
 * Address and environment of the site.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Connection;

/** Identifies a site, so that a copy differs from its original. */
final class SiteIdentity {

	/**
	 * Returns the stored home address. home_url() does not fit: language plugins and is_ssl() change its result between requests.
	 */
	public static function home_url(): string {
		return self::normalised( (string) get_option( 'home' ) );
	}

	/** Returns the environment type. WordPress's default is "production". */
	public static function environment(): string {
		return wp_get_environment_type();
	}

	public static function is_production(): bool {
		return 'production' === self::environment();
	}

	/** Normalises an address. The host's letter case and a slash at the end make no difference. */
	public static function normalised( string $url ): string {
		$url = rtrim( trim( $url ), '/' );
		return (string) preg_replace_callback( '#^[a-z][a-z0-9+.-]*://[^/]*#i', static fn( array $found ) => strtolower( $found[0] ), $url );
	}
}
