<?php
/**
 * The error of a failed statement.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge;

use WP_Error;

/**
 * A statement on the plugin's tables failed: missing tables, a read-only database, or a deadlock after all tries. The whole request failed,
 * so it has no results for single items.
 */
final class DatabaseError extends \RuntimeException {

	/** Returns the error with HTTP 500, so the service tries again later. The database's own message stays out of the response. */
	public function for_rest(): WP_Error {
		return new WP_Error( 'tillsync_not_stored', 'The shop could not store this: its database refused.', array( 'status' => 500 ) );
	}
}
