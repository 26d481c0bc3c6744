<?php
/**
 * The list of unsent orders.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;

use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Orders\AnswerTexts;
use Tillsync\Bridge\Orders\Drain;
use Tillsync\Bridge\Orders\OrderPanel;
use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Orders\OutboxPause;
use Tillsync\Bridge\Orders\OutboxRow;
use Tillsync\Bridge\Service\Breaker;

/** Shows outbox rows on the queues page. It never calls the service, so it works while the service is down. */
class OutboxList {

	private const PAGE_SIZE = 25;

	public function __construct(
		private readonly Drain $drain,
		private readonly OutboxPause $pause,
		private readonly Breaker $breaker,
		private readonly Outbox $outbox,
		private readonly CopyGuard $copy_guard
	) {}

	/** @return array{rows: array<int, array<string, mixed>>, more: bool, hindrance: string} */
	public function page( string $search, int $page ): array {
		$search = trim( $search, " \t\n\r\0\x0B#" );
		$rows   = '' === $search
			? $this->outbox->unsent( self::PAGE_SIZE + 1, ( $page - 1 ) * self::PAGE_SIZE )
			: ( 1 === $page ? $this->found( $search ) : array() );
		return array(
			'rows'      => array_map( array( self::class, 'plain' ), array_slice( $rows, 0, self::PAGE_SIZE ) ),
			'more'      => count( $rows ) > self::PAGE_SIZE,
			'hindrance' => $this->stop_text(),
		);
	}

	/**
	 * Sends one order now.
	 *
	 * @return array{message: string}
	 */
	public function send( int $order_id ): array {
		$row = $this->outbox->find( $order_id );
		if ( null === $row || ! self::is_unsent( $row ) ) {
			return array( 'message' => __( 'This order has left the shop meanwhile.', 'tillsync-bridge' ) );
		}
		$this->outbox->request_match( $order_id, $row->rerun );
		$report = $this->drain->run_one( $order_id );
		$after  = $this->outbox->find( $order_id );
		if ( null !== $after && self::is_unsent( $after ) ) {
			$why = '' !== $after->reason ? $after->reason : OrderPanel::stop_text( $report->stopped_by );
			return array( 'message' => '' !== $why ? $why : __( 'Not sent yet: it is being sent by another process.', 'tillsync-bridge' ) );
		}
		return array( 'message' => __( 'Sent to the service.', 'tillsync-bridge' ) );
	}

	/** @return OutboxRow[] */
	private function found( string $search ): array {
		$ids = array();
		if ( is_email( $search ) ) {
			$ids = wc_get_orders( array( 'billing_email' => $search, 'limit' => self::PAGE_SIZE, 'return' => 'ids' ) );
		} elseif ( preg_match( '/^[1-9][0-9]{0,17}$/D', $search ) ) {
			$ids = array( (int) $search );
		}
		$rows = array_map( fn( $id ) => $this->outbox->find( (int) $id ), is_array( $ids ) ? $ids : array() );
		return array_values( array_filter( $rows, static fn( ?OutboxRow $row ) => null !== $row && self::is_unsent( $row ) ) );
	}

	private static function is_unsent( OutboxRow $row ): bool {
		return OutboxRow::WAITING === $row->state || ( OutboxRow::FAILED === $row->state && '' === $row->entry_id );
	}

	/** @return array<string, mixed> */
	private static function plain( OutboxRow $row ): array {
		$order  = wc_get_order( $row->order_id );
		$is     = $order instanceof \WC_Order;
		$number = $is ? (string) $order->get_order_number() : (string) $row->order_id;
		return array(
			'id'          => (string) $row->order_id,
			/* translators: %s: order number */
			'subject'     => sprintf( __( 'Order %s', 'tillsync-bridge' ), $number ),
			'order_url'   => $is ? (string) $order->get_edit_order_url() : '',
			'state'       => OutboxRow::FAILED === $row->state ? 'failed' : 'waiting',
			'state_label' => AnswerTexts::row( $row->state ),
			'where'       => __( 'Has not left the shop', 'tillsync-bridge' ),
			'reason'      => '' !== $row->reason ? $row->reason : AnswerTexts::send_time( $row->due_at ),
			'attempts'    => $row->attempts,
			'created'     => QueueRow::at( $row->created_at ),
			'next_try'    => OutboxRow::WAITING === $row->state ? QueueRow::at( $row->due_at ) : '',
		);
	}

	/** Returns why no order is sent at the moment, or an empty text. */
	private function stop_text(): string {
		if ( null === $this->copy_guard->usable() ) {
			return OrderPanel::stop_text( 'not_connected' );
		}
		if ( 0 !== $this->pause->since() ) {
			return OrderPanel::stop_text( 'paused' ) . ' ' . $this->pause->reason();
		}
		if ( $this->breaker->open_until() > 0 ) {
			/* translators: %s: time */
			return OrderPanel::stop_text( 'breaker' ) . ' ' . sprintf( __( 'Next try: %s.', 'tillsync-bridge' ), QueueRow::at( $this->breaker->open_until() ) );
		}
		return '';
	}
}
