<?php
/**
 * The script that all screens need.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;

/** Screens name it among what their scripts need; it is loaded once. */
final class SharedScript {

	private const HANDLE = 'tillsync-bridge-screens';

	/** Registers it where that has not been done; returns its handle. */
	public static function handle(): string {
		if ( ! wp_script_is( self::HANDLE, 'registered' ) ) {
			wp_register_script( self::HANDLE, plugins_url( 'assets/screens.js', \Tillsync\Bridge\PLUGIN_FILE ), array( 'wp-api-fetch' ), \Tillsync\Bridge\VERSION, true );
		}
		return self::HANDLE;
	}
}
