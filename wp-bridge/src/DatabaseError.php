<?php
/**
 * The database did not take a write.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge;

use WP_Error;

/** Missing tables, a read-only database, a deadlock that came again. Nothing can be said of single items: the whole request failed. */
final class DatabaseError extends \RuntimeException {

	/** HTTP 500: the service tries again later. The database's own words stay in the shop's log. */
	public function for_rest(): WP_Error {
		return new WP_Error( 'tillsync_not_stored', 'The shop could not store this: its database refused.', array( 'status' => 500 ) );
	}
}
