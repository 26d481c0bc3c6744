<?php
/**
 * Where orders come in.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Log;

/**
 * The one thing we do in a shopper's request: one INSERT when an order changes to a chosen status. No facts are read (they may not be
 * final), nothing is scheduled, no request is made. Only woocommerce_order_status_changed: woocommerce_new_order fires for drafts.
 */
final class OrderHook {

	public function __construct( private readonly Outbox $outbox, private readonly Log $log ) {}

	/**
	 * Whatever other plugins fire the hook with.
	 *
	 * @param mixed $order_id Should be an int.
	 * @param mixed $from     Not looked at.
	 * @param mixed $to       Should be a status without "wc-".
	 * @param mixed $order    Should be an order; refunds and subscriptions are none of ours.
	 */
	public function changed( $order_id = 0, $from = '', $to = '', $order = null ): void {
		if ( ! is_numeric( $order_id ) || (int) $order_id < 1 || ! is_string( $to ) || ! get_option( ConnectionStore::ACTIVE ) ) {
			return;
		}
		if ( ! in_array( $to, ChosenStatuses::get(), true ) || ( is_object( $order ) && ! OrderFacts::is_order( $order ) ) ) {
			return;
		}
		if ( ! $this->outbox->note( (int) $order_id ) ) {
			$this->log->error( sprintf( 'order %d could not be noted in the outbox: the hourly sweep will find it', (int) $order_id ) );
		}
	}
}
