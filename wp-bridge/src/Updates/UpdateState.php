<?php
/**
 * State of updates.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Updates;

use Tillsync\Bridge\Clock;

/** Stores the result of the last request for an update, for Site Health. */
class UpdateState {

	private const OPTION = 'tillsync_bridge_update';

	public function __construct( private readonly Clock $clock ) {}

	/**
	 * @param string $version Version of the offered release; empty where there is none.
	 * @param string $error   A sentence; empty where the update was not refused.
	 */
	public function store( string $version, string $error = '' ): void {
		update_option( self::OPTION, array( 'at' => $this->clock->now(), 'version' => $version, 'error' => $error ), false );
	}

	/** @return array{at: int, version: string, error: string} at: unix seconds; 0 before the first request. */
	public function read(): array {
		$stored = get_option( self::OPTION );
		$stored = is_array( $stored ) ? $stored : array();
		return array( 'at' => (int) ( $stored['at'] ?? 0 ), 'version' => (string) ( $stored['version'] ?? '' ), 'error' => (string) ( $stored['error'] ?? '' ) );
	}
}
