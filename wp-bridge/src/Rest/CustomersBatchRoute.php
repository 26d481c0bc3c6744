<?php
/**
 * POST wc-tillsync/v1/customers/batch.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

use Tillsync\Bridge\Customers\CustomerWriter;
use Throwable;
use Tillsync\Bridge\Database;
use Tillsync\Bridge\Guarded;
use Tillsync\Bridge\NotStored;
use Tillsync\Bridge\Part;
use Tillsync\Bridge\Services;
use WP_Error;
use WP_REST_Request;
use WP_REST_Response;

/** Points, credit and type of up to 500 customers; results by position. */
final class CustomersBatchRoute implements Part {

	/** After it the rest is answered `not_done`: the service waits 20 s, and web servers often cut off at 30. */
	private const SECONDS = 10.0;

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
			'/customers/batch',
			array(
				'methods'             => 'POST',
				'permission_callback' => array( $this->services->get( SignedRequest::class ), 'permission' ),
				'callback'            => array( $this, 'answer' ),
			)
		);
	}

	/** @return WP_REST_Response|WP_Error */
	public function answer( WP_REST_Request $request ) {
		$deadline = $this->services->clock()->monotonic() + self::SECONDS;
		$items    = BatchEnvelope::items( $request, 'items', StatusRoute::MAX_BATCH );
		if ( $items instanceof WP_Error ) {
			return $items;
		}
		try {
			$this->services->get( Database::class )->be_quick();
			return new WP_REST_Response( array( 'results' => $this->services->get( CustomerWriter::class )->write( $items, $deadline ) ) );
		} catch ( NotStored $error ) {
			return $error->for_rest();
		} catch ( Throwable $error ) {
			return RouteFailure::of( $this->services, 'customers/batch', $error );
		}
	}
}
