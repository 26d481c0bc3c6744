<?php
/**
 * The envelope of a batch.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

use WP_Error;
use WP_REST_Request;

/**
 * Checks the envelope in the route's callback, not in the route's `args`. WordPress checks `args` before the permission, so anyone could
 * learn the parameters. And there one bad item makes WordPress refuse the whole batch.
 */
final class BatchEnvelope {

	/**
	 * Returns the list of items, or the error in WordPress's own words.
	 *
	 * @return array<int, mixed>|WP_Error
	 */
	public static function items( WP_REST_Request $request, string $name, int $limit ) {
		$items = self::body( $request )[ $name ] ?? null;
		if ( null === $items ) {
			return new WP_Error( 'rest_missing_callback_param', sprintf( 'Missing parameter(s): %s', $name ), array( 'status' => 400, 'params' => array( $name ) ) );
		}
		if ( ! is_array( $items ) || ! array_is_list( $items ) ) {
			$wrong = sprintf( '%s is not of type array.', $name );
			return new WP_Error( 'rest_invalid_param', sprintf( 'Invalid parameter(s): %s', $name ), array( 'status' => 400, 'params' => array( $name => $wrong ) ) );
		}
		if ( count( $items ) > $limit ) {
			return new WP_Error( 'tillsync_batch_too_large', sprintf( 'Unable to accept more than %d %s for this request.', $limit, $name ), array( 'status' => 413 ) );
		}
		return $items;
	}

	/**
	 * Returns the JSON object of the body only, because the signature does not cover query parameters.
	 *
	 * @return array<int|string, mixed>
	 */
	public static function body( WP_REST_Request $request ): array {
		$body = $request->get_json_params();
		return is_array( $body ) ? $body : array();
	}
}
