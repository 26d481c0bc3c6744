<?php
/**
 * Hands orders over to the service.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Throwable;
use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Confirmation\Confirmations;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\SafeCall;
use Tillsync\Bridge\Service\ServiceApi;
use Tillsync\Bridge\Service\ServiceClient;
use Tillsync\Bridge\Service\ServiceError;

/**
 * Hands orders over to the service: it sends claimed rows with BatchMatchOrderCustomers, at least once. A row whose answer was lost is sent again, and the service adds it to
 * the entry it has. One refused order does not delay the others.
 */
class Sender {

	private const TIMEOUT_SECONDS = 15;

	public function __construct(
		private readonly CallOutcome $calls,
		private readonly ServiceApi $service_api,
		private readonly Confirmations $confirmations,
		private readonly AnswerRecorder $answer_recorder,
		private readonly Outbox $outbox,
		private readonly ServiceClient $service_client,
		private readonly Clock $clock,
		private readonly Log $log
	) {}

	/**
	 * @param OutboxRow[] $rows Claimed rows, at most 100.
	 * @return string Why the drain must stop; empty when it continues.
	 */
	public function send( array $rows, DrainReport $report, DrainLimits $limits ): string {
		$ready = array();
		foreach ( $rows as $row ) {
			$facts = $this->facts_of( $row, $report );
			if ( null !== $facts ) {
				$ready[] = array( $row, $facts );
			}
		}
		return array() === $ready ? '' : $this->send_portion( $ready, $report, $limits );
	}

	/** Returns the facts of a row. Null means that the row was closed, or postponed because the order could not be read. */
	private function facts_of( OutboxRow $row, DrainReport $report ): ?OrderFacts {
		try {
			$order  = wc_get_order( $row->order_id );
			$reason = OrderFacts::reason_not_to_send( $order );
			if ( null !== $reason ) {
				$this->outbox->record( $row, array( 'state' => OutboxRow::CLOSED, 'reason' => $reason, 'rerun' => 0 ) );
				++$report->closed;
				return null;
			}
			return OrderFacts::of( $order, $row->created_at, $this->service_api->accepts_confirmations() ? $this->confirmations : null );
		} catch ( Throwable $error ) {
			$this->log->failure( "reading order {$row->order_id}", $error );
			/* translators: %s: technical name of an error */
			$this->postpone( $row, sprintf( __( 'The order could not be read (%s): see the log of Tillsync.', 'tillsync-bridge' ), get_class( $error ) ), $report );
			return null;
		}
	}

	/**
	 * @param array<int, array{0: OutboxRow, 1: OrderFacts}> $ready Rows with their facts.
	 */
	private function send_portion( array $ready, DrainReport $report, DrainLimits $limits ): string {
		$stop = $limits->reason_to_stop();
		if ( '' !== $stop ) {
			$this->outbox->release( array_column( $ready, 0 ) );
			return $stop;
		}
		$orders = array();
		foreach ( $ready as list( $row, $facts ) ) {
			$orders[] = $facts->message + ( $row->rerun ? array( 'rerun' => true ) : array() );
		}
		try {
			$answer  = $this->service_client->call( 'CustomerSyncService', 'BatchMatchOrderCustomers', array( 'orders' => $orders ), self::TIMEOUT_SECONDS );
			$results = $answer['results'] ?? null;
			if ( ! is_array( $results ) || count( $results ) !== count( $ready ) ) {
				throw new ServiceError( ServiceError::TRANSPORT, 200, 'the answer has another number of results than the request had orders' );
			}
		} catch ( ServiceError $error ) {
			return $this->call_failed( $ready, $error, $report, $limits );
		}
		$this->calls->succeeded();
		foreach ( $ready as $position => list( $row, $facts ) ) {
			$this->record_result( $row, $facts, (array) $results[ $position ], $report );
		}
		return '';
	}

	/** @param array<string, mixed> $result A BatchMatchOrderCustomersResult. */
	private function record_result( OutboxRow $row, OrderFacts $facts, array $result, DrainReport $report ): void {
		if ( is_array( $result['error'] ?? null ) ) {
			$this->item_refused( $row, $result['error'], $report );
			return;
		}
		$answer = is_array( $result['ok'] ?? null ) ? Answer::of( $result['ok'] ) : null;
		if ( null === $answer ) {
			$this->postpone( $row, __( "The service's answer for this order cannot be read.", 'tillsync-bridge' ), $report );
			return;
		}
		++$report->sent;
		$sent = array( 'facts_hash' => $facts->hash(), 'sent_at' => $this->clock->now(), 'rerun' => 0 );
		$this->answer_recorder->record( $row, $answer, $sent, $report );
	}

	/** @param array<string, mixed> $error A google.rpc.Status. */
	private function item_refused( OutboxRow $row, array $error, DrainReport $report ): void {
		$error_text = is_string( $error['message'] ?? null ) ? $error['message'] : '';
		if ( 3 === (int) ( $error['code'] ?? 0 ) ) {
			$this->fail( $row, $error_text, $report );
			return;
		}
		/* translators: %s: what the service said */
		$this->postpone( $row, sprintf( __( 'The service could not take the order yet: %s', 'tillsync-bridge' ), $error_text ), $report );
	}

	/** @param array<int, array{0: OutboxRow, 1: OrderFacts}> $ready Rows with their facts. */
	private function call_failed( array $ready, ServiceError $error, DrainReport $report, DrainLimits $limits ): string {
		++$report->failed_calls;
		$rows = array_column( $ready, 0 );
		if ( $error->is_bad_message() ) {
			if ( 1 === count( $ready ) ) {
				$this->fail( $rows[0], $error->getMessage(), $report );
				return '';
			}
			// One order makes the service refuse the whole message. Halving isolates it, and the others are sent.
			$halves = array_chunk( $ready, (int) ceil( count( $ready ) / 2 ) );
			$stop   = $this->send_portion( $halves[0], $report, $limits );
			if ( '' !== $stop ) {
				$this->outbox->release( array_column( $halves[1], 0 ) );
				return $stop;
			}
			return $this->send_portion( $halves[1], $report, $limits );
		}
		$stop = $this->calls->failed( $error );
		if ( $error->is_refusal() || $error->is_throttling() || 'not_connected' === $error->connect_code ) {
			$this->outbox->release( $rows );
			return $stop;
		}
		// invariant: failed-calls-keep-orders-waiting
		foreach ( $rows as $row ) {
			$this->postpone( $row, $error->sentence(), $report );
		}
		return $stop;
	}

	private function fail( OutboxRow $row, string $error_text, DrainReport $report ): void {
		$reason = RefusalText::of( $error_text );
		$this->outbox->record( $row, array( 'state' => OutboxRow::FAILED, 'reason' => $reason, 'rerun' => 0, 'attempts' => $row->attempts + 1 ) );
		$this->log->warning( "order {$row->order_id} was refused by the service: {$error_text}" );
		++$report->failed;
		SafeCall::run(
			$this->log,
			'tillsync_order_refused',
			static function () use ( $row, $reason ): void {
				/**
				 * Fires when the service refuses an order. It is not sent again until a person asks for it.
				 *
				 * @param int    $order_id Id of the order.
				 * @param string $reason   One sentence for people.
				 */
				do_action( 'tillsync_order_refused', $row->order_id, $reason );
			}
		);
	}

	/** Leaves the row waiting, with its reason and a growing delay. */
	private function postpone( OutboxRow $row, string $reason, DrainReport $report ): void {
		$due = $this->clock->now() + RowDelay::of_failure( $row->attempts );
		$this->outbox->record( $row, array( 'due_at' => $due, 'attempts' => $row->attempts + 1, 'reason' => $reason ) );
		++$report->postponed;
	}
}
