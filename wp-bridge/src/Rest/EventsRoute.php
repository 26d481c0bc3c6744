<?php
/**
 * POST wc-tillsync/v1/events.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

use Throwable;
use Tillsync\Bridge\Database;
use Tillsync\Bridge\Events\EventIntake;
use Tillsync\Bridge\Guarded;
use Tillsync\Bridge\NotStored;
use Tillsync\Bridge\Part;
use Tillsync\Bridge\Services;
use WP_Error;
use WP_REST_Request;
use WP_REST_Response;

/** Up to 500 events; results by position. One that is known is answered as such: the service sends at least once. */
final class EventsRoute implements Part {

	private const LIMIT   = 500;
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
			'/events',
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
		$events   = BatchEnvelope::items( $request, 'events', self::LIMIT );
		if ( $events instanceof WP_Error ) {
			return $events;
		}
		try {
			$this->services->get( Database::class )->be_quick();
			return new WP_REST_Response( array( 'results' => $this->services->get( EventIntake::class )->take( $events, $deadline ) ) );
		} catch ( NotStored $error ) {
			return $error->for_rest();
		} catch ( Throwable $error ) {
			return RouteFailure::of( $this->services, 'events', $error );
		}
	}
}
