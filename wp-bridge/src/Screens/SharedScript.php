<?php
/**
 * The script that all screens share.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;

/** Screens name its handle as a dependency of their scripts. WordPress loads it once. */
final class SharedScript {

	private const HANDLE = 'tillsync-bridge-screens';

	/** Registers the script once, and returns its handle. */
	public static function handle(): string {
		if ( ! wp_script_is( self::HANDLE, 'registered' ) ) {
			wp_register_script( self::HANDLE, plugins_url( 'assets/screens.js', \Tillsync\Bridge\PLUGIN_FILE ), array( 'wp-api-fetch' ), \Tillsync\Bridge\VERSION, true );
		}
		return self::HANDLE;
	}
}
