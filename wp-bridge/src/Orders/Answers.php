<?php
/**
 * Answers in order meta.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\SafeCall;
use WC_Order;

/**
 * Stores answers in the order meta `_tillsync_answer`: one JSON text with the id of its order. Renewals and duplicating plugins copy meta,
 * so an answer with another order's id does not count. It is a text, because WooCommerce 8.2 loses a meta array when it copies an order
 * between its stores. Release 0.1.0 stored an array, which is read too. save_meta_data() stores it, because save() would fire the
 * order.updated webhook.
 */
class Answers {

	public const META = '_tillsync_answer';

	private const SAVE_AFTER_META = 'woocommerce_orders_table_datastore_should_save_after_meta_change';

	public function __construct( private readonly Clock $clock, private readonly Log $log ) {}

	/** Returns the stored answer of the order, or null when it has none of its own. */
	public function of( WC_Order $order ): ?Answer {
		$stored = self::stored( $order );
		return null === $stored ? null : Answer::from_stored( $stored );
	}

	/** Returns the unix seconds at which the answer was stored, or 0 without one. */
	public function stored_at( WC_Order $order ): int {
		return (int) ( self::stored( $order )['at'] ?? 0 );
	}

	/** @return array<string, mixed>|null The stored answer of the order itself. */
	private static function stored( WC_Order $order ): ?array {
		foreach ( $order->get_meta( self::META, false ) as $meta ) {
			$value  = $meta->value ?? null;
			$stored = is_string( $value ) ? json_decode( $value, true ) : $value;
			if ( is_array( $stored ) && (int) ( $stored['order_id'] ?? 0 ) === $order->get_id() ) {
				return $stored;
			}
		}
		return null;
	}

	/**
	 * Stores an answer, and adds an order note when its text is new. It does nothing for a deleted order.
	 *
	 * @throws \Throwable Any error of other plugins' hooks on notes and meta.
	 */
	public function store( int $order_id, Answer $answer ): void {
		// Reads the order again. With an older object, the first write of the same meta by another object would leave two rows.
		$order = wc_get_order( $order_id );
		if ( ! is_object( $order ) || ! OrderFacts::is_order( $order ) ) {
			return;
		}
		$before = $this->of( $order );
		if ( $answer->reads_like( $before ) && $answer->entry_id === $before->entry_id && $answer->notes === $before->notes ) {
			return;
		}
		$this->write( $order, array( 'order_id' => $order_id, 'at' => $this->clock->now() ) + $answer->to_stored() );
		if ( Answer::PENDING !== $answer->state && '' !== $answer->comment && ! $answer->reads_like( $before ) ) {
			$order->add_order_note( self::note( $answer ) );
		}
		SafeCall::run(
			$this->log,
			'tillsync_order_answered',
			static function () use ( $order_id, $answer ): void {
				/**
				 * Fires when an order has a new answer: its till customer, or why it has none.
				 *
				 * @param int                  $order_id Id of the order.
				 * @param array<string, mixed> $answer   entry_id, state, outcome, comment, notes, causes, epos_customer_id ("0": none).
				 */
				do_action( 'tillsync_order_answered', $order_id, $answer->to_stored() );
			}
		);
	}

	/** @param array<string, mixed> $answer The answer with its order's id. */
	private function write( WC_Order $order, array $answer ): void {
		$stored  = (string) wp_json_encode( $answer );
		$is_kept = false;
		foreach ( $order->get_meta( self::META, false ) as $meta ) {
			if ( $is_kept ) {
				$order->delete_meta_data_by_mid( $meta->id );
				continue;
			}
			$order->update_meta_data( self::META, $stored, $meta->id );
			$is_kept = true;
		}
		if ( ! $is_kept ) {
			$order->add_meta_data( self::META, $stored, true );
		}
		self::save_quietly( $order );
	}

	/** Deletes the order's answer. Returns whether it had one. */
	public function forget( WC_Order $order ): bool {
		if ( array() === $order->get_meta( self::META, false ) ) {
			return false;
		}
		$order->delete_meta_data( self::META );
		self::save_quietly( $order );
		return true;
	}

	/**
	 * Saves the meta without saving the order. After a meta change, HPOS may save the whole order for its modification date, which fires
	 * every webhook.
	 */
	private static function save_quietly( WC_Order $order ): void {
		add_filter( self::SAVE_AFTER_META, '__return_false', 999 );
		try {
			$order->save_meta_data();
		} finally {
			remove_filter( self::SAVE_AFTER_META, '__return_false', 999 );
		}
	}

	private static function note( Answer $answer ): string {
		// The comment stays word by word, because support staff know it in this form.
		$lines = array( 'Tillsync: ' . $answer->comment );
		if ( '0' !== $answer->epos_customer_id && '' !== $answer->epos_customer_id ) {
			/* translators: %s: number of a customer at the till */
			$lines[] = sprintf( __( 'Till customer %s.', 'tillsync-bridge' ), $answer->epos_customer_id );
		}
		if ( Answer::PROCESSED !== $answer->state && array() !== $answer->notes ) {
			$lines[] = $answer->notes[0];
		}
		// WooCommerce shows line breaks of a note.
		return implode( "\n", array_map( 'esc_html', $lines ) );
	}
}
