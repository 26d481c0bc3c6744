<?php
/**
 * The response to an unexpected error of the plugin.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

use Throwable;
use Tillsync\Bridge\Log;
use WP_Error;

/** Makes the response of a route that failed. Its status 500 makes the service try again. The log names the place of the error; the response does not. */
final class RouteFailure {

	public static function of( Log $log, string $where, Throwable $error ): WP_Error {
		$log->failure( $where, $error );
		return new WP_Error( 'tillsync_failed', 'The plugin failed: see its log in the shop.', array( 'status' => 500 ) );
	}
}
