<?php
/**
 * What a browser is told when the service refused or failed.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

use Tillsync\Bridge\Service\ServiceError;
use WP_Error;

/** A sentence for people and the code of Connect; never the service's own status, which would look like ours: 401 would log people out. */
final class ServiceErrorResponse {

	public static function of( ServiceError $error ): WP_Error {
		$data = array( 'status' => $error->is_transport() ? 503 : 409, 'connect_code' => $error->connect_code );
		return new WP_Error( 'tillsync_' . $error->connect_code, $error->sentence(), $data );
	}
}
