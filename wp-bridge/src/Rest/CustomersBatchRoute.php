<?php
/**
 * POST wc-tillsync/v1/customers/batch.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

use Closure;
use Throwable;
use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Customers\CustomerWriter;
use Tillsync\Bridge\Database;
use Tillsync\Bridge\DatabaseError;
use Tillsync\Bridge\Log;
use WP_Error;
use WP_REST_Request;
use WP_REST_Response;

/** Points, credit and type of up to 500 customers; results by position. */
final class CustomersBatchRoute {

	/** After it the rest is answered `not_done`: the service waits 20 s, and web servers often cut off at 30. */
	private const SECONDS = 10.0;

	public function __construct(
		private readonly SignedRequest $signed_request,
		private readonly Database $database,
		private readonly CustomerWriter $customer_writer,
		private readonly Clock $clock,
		private readonly Log $log
	) {}

	/** @param Closure(): self $made Makes the object when a request comes. */
	public static function add_routes( Closure $made ): void {
		register_rest_route(
			StatusRoute::NAMESPACE,
			'/customers/batch',
			array(
				'methods'             => 'POST',
				'permission_callback' => static fn( WP_REST_Request $request ) => $made()->signed_request->permission( $request ),
				'callback'            => static fn( WP_REST_Request $request ) => $made()->answer( $request ),
			)
		);
	}

	/** @return WP_REST_Response|WP_Error */
	public function answer( WP_REST_Request $request ) {
		$deadline = $this->clock->monotonic() + self::SECONDS;
		$items    = BatchEnvelope::items( $request, 'items', StatusRoute::MAX_BATCH );
		if ( $items instanceof WP_Error ) {
			return $items;
		}
		try {
			$this->database->be_quick();
			return new WP_REST_Response( array( 'results' => $this->customer_writer->write( $items, $deadline ) ) );
		} catch ( DatabaseError $error ) {
			return $error->for_rest();
		} catch ( Throwable $error ) {
			return RouteFailure::of( $this->log, 'customers/batch', $error );
		}
	}
}
