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

/** It is an error of the shop, so the service tries again. The log gets the place of the error, and the response does not. */
final class RouteFailure {

	public static function of( Log $log, string $where, Throwable $error ): WP_Error {
		$log->failure( $where, $error );
		return new WP_Error( 'tillsync_failed', 'The plugin failed: see its log in the shop.', array( 'status' => 500 ) );
	}
}
