<?php
/**
 * Held orders, read from the service.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Health;

use Tillsync\Bridge\Events\HeldCount;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Orders\Answer;
use Tillsync\Bridge\Orders\DrainTimer;
use Tillsync\Bridge\Orders\OrderFacts;
use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Service\ServiceClient;
use Tillsync\Bridge\Service\ServiceError;

/**
 * One call returns the count of held orders, the account's problem and the newest held orders. An order without an outbox row gets one, for
 * example after a reinstallation or a restored database. The drain then fetches its answer, and the order gets an alert as any other.
 */
class HeldOrders {

	private const TIMEOUT_SECONDS = 10;
	private const PAGE_SIZE       = 100;

	public function __construct(
		private readonly HeldCount $held_count,
		private readonly DrainTimer $drain_timer,
		private readonly ServiceClient $service_client,
		private readonly Outbox $outbox,
		private readonly Log $log
	) {}

	/**
	 * Reads held orders in the background or when a shop connects.
	 *
	 * @return mixed The account's problem, or null.
	 * @throws ServiceError
	 */
	public function refresh() {
		$message = array( 'queue' => 'QUEUE_ORDERS', 'states' => array( Answer::HELD ), 'pageSize' => self::PAGE_SIZE, 'withCounts' => true );
		$answer  = $this->service_client->call( 'CustomerSyncService', 'ListQueue', $message, self::TIMEOUT_SECONDS );
		foreach ( array_filter( (array) ( $answer['stateCounts'] ?? array() ), 'is_array' ) as $count ) {
			if ( Answer::HELD === ( $count['state'] ?? '' ) ) {
				$this->held_count->store( (int) ( $count['count'] ?? 0 ) );
			}
		}
		$this->add_missing_rows( array_filter( (array) ( $answer['entries'] ?? array() ), 'is_array' ) );
		return $answer['problem'] ?? null;
	}

	/** @param array<int, array<string, mixed>> $entries QueueEntry messages. */
	private function add_missing_rows( array $entries ): void {
		$numbers = array();
		foreach ( $entries as $entry ) {
			$order_id = is_scalar( $entry['orderId'] ?? null ) ? (int) $entry['orderId'] : 0;
			if ( $order_id > 0 ) {
				$numbers[ $order_id ] = is_scalar( $entry['orderNumber'] ?? null ) ? (string) $entry['orderNumber'] : '';
			}
		}
		$adopted = 0;
		foreach ( $this->outbox->without_row( array_keys( $numbers ) ) ?? array() as $order_id ) {
			$order = wc_get_order( $order_id );
			// In a shop whose ids began again, another order may have this id.
			if ( is_object( $order ) && OrderFacts::is_order( $order ) && (string) $order->get_order_number() === $numbers[ $order_id ] && $this->outbox->request_poll( $order_id ) ) {
				++$adopted;
			}
		}
		if ( $adopted > 0 ) {
			$this->drain_timer->now();
			$this->log->info( "{$adopted} orders that the service holds were not known here: their answers are fetched" );
		}
	}
}
