<?php
/**
 * The service's call when an order is due.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Boot\EveryRequest;
use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Service\Breaker;
use Tillsync\Bridge\Service\ServiceApi;
use Tillsync\Bridge\Service\ServiceClient;
use Tillsync\Bridge\Service\ServiceError;

/**
 * Asks the service to call this shop when the order of this request is due (OutboxRoute). WordPress starts its cron with a visitor's page
 * only, so an order of a shop without visitors would wait for a clock. The call is sent when the shopper has the response. Where PHP cannot
 * end the response before the request, it is not sent, and cron drains the outbox.
 */
class DrainCall {

	/** Seconds for the call. It holds a PHP process, but no shopper. */
	private const TIMEOUT = 3;

	public function __construct(
		private readonly ServiceClient $service_client,
		private readonly ServiceApi $service_api,
		private readonly CopyGuard $copy_guard,
		private readonly Outbox $outbox,
		private readonly OutboxPause $pause,
		private readonly Breaker $breaker,
		private readonly Clock $clock
	) {}

	/** Runs as the last callback of `shutdown`, in a request that has added an order to the outbox. */
	public function send(): void {
		$end_response = array_values( array_filter( EveryRequest::END_OF_RESPONSE, 'function_exists' ) )[0] ?? null;
		if ( null === $end_response || ! $this->service_api->plans_drains() || null === $this->copy_guard->usable() || $this->pause->holds() || 0 < $this->breaker->open_until() ) {
			return;
		}
		$end_response();
		$due = $this->outbox->next_due( true );
		if ( null === $due ) {
			return; // The order was sent before, and only its status changed.
		}
		try {
			$this->service_client->call( 'BridgeService', 'ScheduleOutboxDrain', array( 'delaySeconds' => max( 1, $due - $this->clock->now() ) ), self::TIMEOUT );
		} catch ( ServiceError $error ) {
			return; // Cron drains the outbox, and reports a service that does not answer.
		}
	}
}
