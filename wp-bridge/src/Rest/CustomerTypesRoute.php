<?php
/**
 * The route wc-tillsync/v1/customer-types/{id}: PUT and DELETE.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

use Closure;
use Throwable;
use Tillsync\Bridge\Database;
use Tillsync\Bridge\DatabaseError;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Types\CustomerType;
use Tillsync\Bridge\Types\TypeWriter;
use WP_Error;
use WP_REST_Request;
use WP_REST_Response;

/** Stores a customer type of the till, or marks it as deleted. */
final class CustomerTypesRoute {

	public function __construct(
		private readonly SignedRequest $signed_request,
		private readonly Database $database,
		private readonly TypeWriter $type_writer,
		private readonly Log $log
	) {}

	/** @param Closure(): self $made Creates the object when a request comes. */
	public static function add_routes( Closure $made ): void {
		$permission = static fn( WP_REST_Request $request ) => $made()->signed_request->permission( $request );
		register_rest_route(
			StatusRoute::NAMESPACE,
			'/customer-types/(?P<id>\d{1,18})',
			array(
				array( 'methods' => 'PUT', 'permission_callback' => $permission, 'callback' => static fn( WP_REST_Request $request ) => $made()->put( $request ) ),
				array( 'methods' => 'DELETE', 'permission_callback' => $permission, 'callback' => static fn( WP_REST_Request $request ) => $made()->delete( $request ) ),
			)
		);
	}

	/** @return WP_REST_Response|WP_Error */
	public function put( WP_REST_Request $request ) {
		return $this->write( $request, static fn( int $id, array $body ) => CustomerType::of( $id, $body ) );
	}

	/** @return WP_REST_Response|WP_Error */
	public function delete( WP_REST_Request $request ) {
		return $this->write( $request, static fn( int $id, array $body ) => CustomerType::removal( $id, $body ) );
	}

	/**
	 * @param Closure(int, array<int|string, mixed>): CustomerType $read Reads the item from the body.
	 * @return WP_REST_Response|WP_Error
	 */
	private function write( WP_REST_Request $request, Closure $read ) {
		// The id comes from the path only, because the body or the query may have a parameter of that name.
		$type_id = (int) ( $request->get_url_params()['id'] ?? 0 );
		try {
			$this->database->limit_waiting();
			$result = $this->type_writer->write( $read( $type_id, BatchEnvelope::body( $request ) ) );
		} catch ( InvalidField $error ) {
			$result = array( 'status' => 'invalid', 'field' => $error->field );
		} catch ( DatabaseError $error ) {
			return $error->for_rest();
		} catch ( Throwable $error ) {
			return RouteFailure::of( $this->log, 'customer-types', $error );
		}
		return new WP_REST_Response( array( 'id' => $type_id ) + $result );
	}
}
