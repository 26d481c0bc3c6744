<?php
/**
 * The response to a failed call to the service.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

use Tillsync\Bridge\Service\ServiceError;
use WP_Error;

/**
 * It carries a sentence for people and Connect's code, with a status of its own. The service's status would look like WordPress's: 401
 * would log people out.
 */
final class ServiceErrorResponse {

	public static function of( ServiceError $error ): WP_Error {
		$data = array( 'status' => $error->is_transport() ? 503 : 409, 'connect_code' => $error->connect_code );
		return new WP_Error( 'tillsync_' . $error->connect_code, $error->sentence(), $data );
	}
}
