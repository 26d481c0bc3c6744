<?php
/**
 * The route wc-tillsync/v1/customers: GET.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

use Closure;
use Throwable;
use Tillsync\Bridge\Customers\RegistrationTime;
use Tillsync\Bridge\Customers\ShopUsers;
use Tillsync\Bridge\Database;
use Tillsync\Bridge\DatabaseError;
use Tillsync\Bridge\Log;
use WP_Error;
use WP_REST_Request;
use WP_REST_Response;

/**
 * Returns which of up to 100 users exist, with their registration times: `?ids=49,50`. The service calls it before it uses a link whose
 * person it does not know. The response has no other data of a user, because the signature does not cover the query.
 */
final class CustomersRoute {

	private const LIMIT = 100;

	public function __construct(
		private readonly SignedRequest $signed_request,
		private readonly Database $database,
		private readonly ShopUsers $shop_users,
		private readonly Log $log
	) {}

	/** @param Closure(): self $made Creates the object when a request comes. */
	public static function add_routes( Closure $made ): void {
		register_rest_route(
			StatusRoute::NAMESPACE,
			'/customers',
			array(
				'methods'             => 'GET',
				'permission_callback' => static fn( WP_REST_Request $request ) => $made()->signed_request->permission( $request ),
				'callback'            => static fn( WP_REST_Request $request ) => $made()->answer( $request ),
			)
		);
	}

	/** @return WP_REST_Response|WP_Error */
	public function answer( WP_REST_Request $request ) {
		$ids = self::ids( $request->get_query_params()['ids'] ?? null );
		if ( $ids instanceof WP_Error ) {
			return $ids;
		}
		try {
			$this->database->limit_waiting();
			$existing = $this->shop_users->existing( $ids );
		} catch ( DatabaseError $error ) {
			return $error->for_rest();
		} catch ( Throwable $error ) {
			return RouteFailure::of( $this->log, 'customers', $error );
		}
		$customers = array();
		foreach ( array_intersect( $ids, array_keys( $existing ) ) as $id ) {
			$customers[] = array( 'user_id' => $id, 'registered' => RegistrationTime::UNKNOWN === $existing[ $id ] ? null : RegistrationTime::text( $existing[ $id ] ) );
		}
		$response = new WP_REST_Response( array( 'customers' => $customers ) );
		// A cached response would name a deleted person.
		$response->header( 'Cache-Control', 'no-store, private' );
		return $response;
	}

	/**
	 * @param mixed $given The query parameter.
	 * @return int[]|WP_Error Distinct ids in the order of the query.
	 */
	private static function ids( $given ) {
		if ( null === $given ) {
			return new WP_Error( 'rest_missing_callback_param', 'Missing parameter(s): ids', array( 'status' => 400, 'params' => array( 'ids' ) ) );
		}
		$parts = is_string( $given ) ? explode( ',', $given ) : array();
		if ( array() === $parts || self::LIMIT < count( $parts ) || array() !== preg_grep( '/^[1-9][0-9]{0,17}$/D', $parts, PREG_GREP_INVERT ) ) {
			$wrong = sprintf( 'ids is not a list of 1 to %d numbers with commas between them.', self::LIMIT );
			return new WP_Error( 'rest_invalid_param', 'Invalid parameter(s): ids', array( 'status' => 400, 'params' => array( 'ids' => $wrong ) ) );
		}
		return array_values( array_unique( array_map( 'intval', $parts ) ) );
	}
}
