<?php
/**
 * The poller of sent rows.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Throwable;
use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Confirmation\Confirmations;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Service\ServiceApi;
use Tillsync\Bridge\Service\ServiceClient;
use Tillsync\Bridge\Service\ServiceError;

/**
 * Polls answers for claimed rows with BatchGetOrderMatches. A held order whose facts have changed is sent again instead, because the
 * service may accept it now.
 */
class Poller {

	private const TIMEOUT_SECONDS = 15;

	public function __construct(
		private readonly CallOutcome $calls,
		private readonly AnswerRecorder $answer_recorder,
		private readonly ServiceApi $service_api,
		private readonly Confirmations $confirmations,
		private readonly ServiceClient $service_client,
		private readonly Outbox $outbox,
		private readonly Clock $clock,
		private readonly Log $log
	) {}

	/**
	 * @param OutboxRow[] $rows Claimed rows, at most 500.
	 * @return string Reason why the drain must stop; empty when it continues.
	 */
	public function poll( array $rows, DrainReport $report, DrainLimits $limits ): string {
		$polled = array();
		foreach ( $rows as $row ) {
			if ( '' === $limits->reason_to_stop() && Answer::HELD === $row->entry_state && $this->has_changed( $row ) ) {
				$this->make_waiting( $row );
			} else {
				$polled[] = $row;
			}
		}
		if ( array() === $polled ) {
			return '';
		}
		try {
			$ids     = array_map( static fn( OutboxRow $row ) => (string) $row->order_id, $polled );
			$answer  = $this->service_client->call( 'CustomerSyncService', 'BatchGetOrderMatches', array( 'orderIds' => $ids ), self::TIMEOUT_SECONDS );
			$results = $answer['results'] ?? null;
			if ( ! is_array( $results ) || count( $results ) !== count( $polled ) ) {
				throw new ServiceError( ServiceError::TRANSPORT, 200, 'the answer has another number of results than were asked for' );
			}
		} catch ( ServiceError $error ) {
			++$report->failed_calls;
			return $this->call_failed( $polled, $error, $report );
		}
		$this->calls->succeeded();
		foreach ( $polled as $position => $row ) {
			$this->record_result( $row, (array) $results[ $position ], $report );
		}
		return '';
	}

	/** @param array<string, mixed> $result A BatchGetOrderMatchesResult. */
	private function record_result( OutboxRow $row, array $result, DrainReport $report ): void {
		++$report->polled;
		if ( 5 === (int) ( $result['error']['code'] ?? 0 ) ) {
			// The service does not know the order, because its database was restored to an earlier state.
			$due = $this->clock->now() + ( '' === $row->entry_id ? 0 : RowDelay::of_failure( 0 ) );
			$this->outbox->record( $row, array( 'state' => OutboxRow::WAITING, 'due_at' => $due, 'attempts' => 0, 'entry_id' => '', 'entry_state' => '', 'outcome' => '' ) );
			return;
		}
		$answer = is_array( $result['ok'] ?? null ) ? Answer::of( $result['ok'] ) : null;
		if ( null === $answer ) {
			$this->postpone( $row, $report );
			return;
		}
		$this->answer_recorder->record( $row, $answer, array(), $report );
	}

	/** @param OutboxRow[] $rows Claimed rows. */
	private function call_failed( array $rows, ServiceError $error, DrainReport $report ): string {
		$stop = $this->calls->failed( $error );
		if ( $error->is_refusal() || $error->is_throttling() || 'not_connected' === $error->connect_code ) {
			$this->outbox->release( $rows );
			return $stop;
		}
		foreach ( $rows as $row ) {
			$this->postpone( $row, $report );
		}
		return $stop;
	}

	private function postpone( OutboxRow $row, DrainReport $report ): void {
		$due = $this->clock->now() + RowDelay::of_failure( $row->attempts );
		$this->outbox->record( $row, array( 'due_at' => $due, 'attempts' => $row->attempts + 1 ) );
		++$report->postponed;
	}

	/** Tells whether the order's facts differ from those sent. An order that cannot be read counts as unchanged. */
	private function has_changed( OutboxRow $row ): bool {
		try {
			$order = wc_get_order( $row->order_id );
			return '' !== $row->facts_hash && null === OrderFacts::reason_not_to_send( $order )
				&& ! OrderFacts::of( $order, $row->created_at, $this->service_api->accepts_confirmations() ? $this->confirmations : null )->match_hash( $row->facts_hash );
		} catch ( Throwable $error ) {
			$this->log->failure( "reading order {$row->order_id}", $error );
			return false;
		}
	}

	private function make_waiting( OutboxRow $row ): void {
		$this->outbox->record( $row, array( 'state' => OutboxRow::WAITING, 'due_at' => $this->clock->now(), 'attempts' => 0 ) );
	}
}
