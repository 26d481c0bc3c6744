<?php
/**
 * The route wc-tillsync/v1/outbox/drain: POST.
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
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Orders\Drain;
use Tillsync\Bridge\Orders\DrainLimits;
use WP_Error;
use WP_REST_Request;
use WP_REST_Response;

/**
 * Sends the due orders of the outbox, as cron does. The service calls it at the time that DrainCall asked for. Another drain at the same
 * moment does no harm, because each claims its rows.
 */
final class OutboxRoute {

	private const SECONDS = 10.0;

	public function __construct(
		private readonly SignedRequest $signed_request,
		private readonly Database $database,
		private readonly Drain $drain,
		private readonly Clock $clock,
		private readonly Log $log
	) {}

	/** @param Closure(): self $made Creates the object when a request comes. */
	public static function add_routes( Closure $made ): void {
		register_rest_route(
			StatusRoute::NAMESPACE,
			'/outbox/drain',
			array(
				'methods'             => 'POST',
				'permission_callback' => static fn( WP_REST_Request $request ) => $made()->signed_request->permission( $request ),
				'callback'            => static fn() => $made()->answer(),
			)
		);
	}

	/** @return WP_REST_Response|WP_Error */
	public function answer() {
		try {
			$this->database->limit_waiting();
			$this->drain->run( new DrainLimits( $this->clock, self::SECONDS ) );
			return new WP_REST_Response( array( 'next_due_in' => $this->drain->seconds_until_unsent() ) );
		} catch ( DatabaseError $error ) {
			return $error->for_rest();
		} catch ( Throwable $error ) {
			return RouteFailure::of( $this->log, 'outbox/drain', $error );
		}
	}
}
