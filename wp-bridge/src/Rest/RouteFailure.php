<?php
/**
 * Something failed in our own code while the service was being answered.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

use Throwable;
use Tillsync\Bridge\Log;
use WP_Error;

/** Said as a failure of the shop, so that the service comes again; the log has the place, the answer nothing of it. */
final class RouteFailure {

	public static function of( Log $log, string $where, Throwable $error ): WP_Error {
		$log->failure( $where, $error );
		return new WP_Error( 'tillsync_failed', 'The plugin failed: see its log in the shop.', array( 'status' => 500 ) );
	}
}
