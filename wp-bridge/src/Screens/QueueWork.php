<?php
/**
 * A person's actions on entries.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;

use Tillsync\Bridge\Orders\DrainTimer;
use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Service\ServiceClient;
use Tillsync\Bridge\Service\ServiceError;

/** Retries one entry, or all with the same cause after the service has counted them, and dismisses one entry. */
class QueueWork {

	/** Seconds. It is longer than a page's timeout, because the service processes a chunk. */
	private const TIMEOUT_SECONDS = 15;

	public function __construct(
		private readonly DrainTimer $drain_timer,
		private readonly ServiceClient $service_client,
		private readonly Outbox $outbox
	) {}

	/**
	 * Retries one chunk. The browser continues with `next` until it is empty.
	 *
	 * @param array<string, mixed> $request entry_ids, or queue and outcome; only_ask: only count and change nothing; next.
	 * @return array{affected: int, joined: int, unchanged: int, failures: string[], next: string}
	 * @throws ServiceError
	 */
	public function retry( array $request ): array {
		$message = array();
		if ( array() !== $request['entry_ids'] ) {
			$message['entryIds'] = array_values( (array) $request['entry_ids'] );
		} elseif ( '' !== $request['outcome'] ) {
			$message['filter'] = array(
				'queue'    => QueueList::QUEUES[ $request['queue'] ],
				'outcomes' => array( $request['outcome'] ),
				'states'   => array( 'ENTRY_STATE_PENDING', 'ENTRY_STATE_HELD', 'ENTRY_STATE_FAILED' ),
			);
		} else {
			throw new ServiceError( 'invalid_argument', 0, __( 'Nothing was chosen to be tried again', 'tillsync-bridge' ) );
		}
		$message += array_filter( array( 'validateOnly' => true === $request['only_ask'], 'continuationToken' => (string) $request['next'] ) );
		$answer   = $this->service_client->call( 'QueueService', 'RetryQueueEntries', $message, self::TIMEOUT_SECONDS );
		if ( true !== $request['only_ask'] ) {
			$this->request_polls( (array) ( $answer['entries'] ?? array() ) );
		}
		return array(
			'affected'  => (int) ( $answer['affectedCount'] ?? 0 ),
			'joined'    => (int) ( $answer['coalescedCount'] ?? 0 ),
			'unchanged' => (int) ( $answer['unchangedCount'] ?? 0 ),
			'failures'  => self::failures( $answer ),
			'next'      => (string) ( $answer['nextContinuationToken'] ?? '' ),
		);
	}

	/**
	 * @param string[] $entry_ids Ids of entries.
	 * @return array{affected: int, failures: string[]}
	 * @throws ServiceError
	 */
	public function dismiss( array $entry_ids ): array {
		$answer = $this->service_client->call( 'QueueService', 'DismissQueueEntries', array( 'entryIds' => array_values( $entry_ids ), 'reason' => 'closed by hand in the shop' ), self::TIMEOUT_SECONDS );
		$this->request_polls( (array) ( $answer['entries'] ?? array() ) );
		return array( 'affected' => (int) ( $answer['affectedCount'] ?? 0 ), 'failures' => self::failures( $answer ) );
	}

	/**
	 * Makes the orders due for polling, even when the service's events do not reach the shop.
	 *
	 * @param array<int, mixed> $entries QueueEntry messages.
	 */
	public function request_polls( array $entries ): void {
		$any = false;
		foreach ( $entries as $entry ) {
			$order_id = is_array( $entry ) && is_scalar( $entry['orderId'] ?? null ) ? (int) $entry['orderId'] : 0;
			if ( $order_id > 0 && null !== $this->outbox->find( $order_id ) ) {
				$this->outbox->request_poll( $order_id );
				$any = true;
			}
		}
		if ( $any ) {
			$this->drain_timer->now();
		}
	}

	/**
	 * @param array<string, mixed> $answer The service's answer with failures.
	 * @return string[]
	 */
	private static function failures( array $answer ): array {
		$failures = array_filter( (array) ( $answer['failures'] ?? array() ), 'is_array' );
		return array_values( array_map( static fn( array $failure ) => (string) ( $failure['error']['message'] ?? '' ), $failures ) );
	}
}
