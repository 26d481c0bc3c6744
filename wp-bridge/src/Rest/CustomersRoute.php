<?php
/**
 * GET wc-tillsync/v1/customers.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

use Throwable;
use Tillsync\Bridge\Customers\Registered;
use Tillsync\Bridge\Customers\ShopUsers;
use Tillsync\Bridge\Database;
use Tillsync\Bridge\Guarded;
use Tillsync\Bridge\NotStored;
use Tillsync\Bridge\Part;
use Tillsync\Bridge\Services;
use WP_Error;
use WP_REST_Request;
use WP_REST_Response;

/**
 * Which of up to 100 users are there, and when they registered: `?ids=49,50`. The service asks before it trusts a link whose person it does
 * not know. Nothing else of a user is told, since the query of an address is not signed.
 */
final class CustomersRoute implements Part {

	private const LIMIT = 100;

	private Services $services;

	public function __construct( Services $services ) {
		$this->services = $services;
	}

	public function register(): void {
		add_action( 'rest_api_init', Guarded::action( $this->services, 'rest_api_init', fn() => $this->add_route() ) );
	}

	private function add_route(): void {
		register_rest_route(
			StatusRoute::NAMESPACE,
			'/customers',
			array(
				'methods'             => 'GET',
				'permission_callback' => array( $this->services->get( SignedRequest::class ), 'permission' ),
				'callback'            => array( $this, 'answer' ),
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
			$this->services->get( Database::class )->be_quick();
			$existing = $this->services->get( ShopUsers::class )->existing( $ids );
		} catch ( NotStored $error ) {
			return $error->for_rest();
		} catch ( Throwable $error ) {
			return RouteFailure::of( $this->services, 'customers', $error );
		}
		$customers = array();
		foreach ( array_intersect( $ids, array_keys( $existing ) ) as $id ) {
			$customers[] = array( 'user_id' => $id, 'registered' => Registered::UNKNOWN === $existing[ $id ] ? null : Registered::text( $existing[ $id ] ) );
		}
		$response = new WP_REST_Response( array( 'customers' => $customers ) );
		// A kept answer would name a person who is gone.
		$response->header( 'Cache-Control', 'no-store, private' );
		return $response;
	}

	/**
	 * @param mixed $given Of the query.
	 * @return int[]|WP_Error Each once, in the order of the query.
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
