<?php
/**
 * The route wc-tillsync/v1/customers/batch: POST.
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

/** Stores points, credit and type of up to 500 customers. The results are in the order of the items. */
final class CustomersBatchRoute {

	/** Seconds after which further items get `not_done`. The service waits 20 s, and web servers often stop a request at 30 s. */
	private const SECONDS = 10.0;

	public function __construct(
		private readonly SignedRequest $signed_request,
		private readonly Database $database,
		private readonly CustomerWriter $customer_writer,
		private readonly Clock $clock,
		private readonly Log $log
	) {}

	/** @param Closure(): self $made Creates the object when a request comes. */
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
			$this->database->limit_waiting();
			return new WP_REST_Response( array( 'results' => $this->customer_writer->write( $items, $deadline ) ) );
		} catch ( DatabaseError $error ) {
			return $error->for_rest();
		} catch ( Throwable $error ) {
			return RouteFailure::of( $this->log, 'customers/batch', $error );
		}
	}
}
