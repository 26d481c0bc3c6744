<?php
/**
 * The message of an action for the next page.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;

/** A message is stored for one user and five minutes, and is shown once. */
final class Flash {

	/**
	 * @param 'success'|'error'|'info' $kind  Kind of the notice.
	 * @param string[]                 $lines Lines of plain text.
	 * @param array<string, mixed>     $data  Further data for the screen, such as the steps of a test.
	 */
	public static function store( string $kind, array $lines, array $data = array() ): void {
		set_transient( self::name(), array( 'kind' => $kind, 'lines' => array_values( $lines ), 'data' => $data ), 300 );
	}

	/** @param array<string, mixed> $data Data to add to the stored message. */
	public static function add( array $data ): void {
		$stored = get_transient( self::name() );
		if ( is_array( $stored ) ) {
			self::store( $stored['kind'], (array) $stored['lines'], (array) $stored['data'] + $data );
		}
	}

	/** @return array{kind: string, lines: string[], data: array<string, mixed>}|null */
	public static function pop(): ?array {
		$stored = get_transient( self::name() );
		if ( ! is_array( $stored ) ) {
			return null;
		}
		delete_transient( self::name() );
		return array( 'kind' => (string) $stored['kind'], 'lines' => (array) $stored['lines'], 'data' => (array) $stored['data'] );
	}

	private static function name(): string {
		return 'tillsync_bridge_flash_' . get_current_user_id();
	}
}
