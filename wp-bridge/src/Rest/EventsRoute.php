<?php
/**
 * The route wc-tillsync/v1/events: POST.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

use Closure;
use Throwable;
use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Database;
use Tillsync\Bridge\DatabaseError;
use Tillsync\Bridge\Events\EventIntake;
use Tillsync\Bridge\Log;
use WP_Error;
use WP_REST_Request;
use WP_REST_Response;

/**
 * Stores up to 500 events. The results are in the order of the events. The service sends at least once, so a known event gets `unchanged`
 * or `stale`.
 */
final class EventsRoute {

	private const LIMIT   = 500;
	private const SECONDS = 10.0;

	public function __construct(
		private readonly SignedRequest $signed_request,
		private readonly Database $database,
		private readonly EventIntake $event_intake,
		private readonly Clock $clock,
		private readonly Log $log
	) {}

	/** @param Closure(): self $made Creates the object when a request comes. */
	public static function add_routes( Closure $made ): void {
		register_rest_route(
			StatusRoute::NAMESPACE,
			'/events',
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
		$events   = BatchEnvelope::items( $request, 'events', self::LIMIT );
		if ( $events instanceof WP_Error ) {
			return $events;
		}
		try {
			$this->database->limit_waiting();
			return new WP_REST_Response( array( 'results' => $this->event_intake->store( $events, $deadline ) ) );
		} catch ( DatabaseError $error ) {
			return $error->for_rest();
		} catch ( Throwable $error ) {
			return RouteFailure::of( $this->log, 'events', $error );
		}
	}
}
