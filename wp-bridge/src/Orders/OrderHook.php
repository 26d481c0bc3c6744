<?php
/**
 * The order hook.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\SafeCall;
use Tillsync\Bridge\Schedule;

/**
 * Adds an order to the outbox when it changes to a chosen status. It runs in a shopper's request, so it executes one INSERT, and one UPDATE
 * when cron has no drain for that time yet. It reads no facts, which may not be final, and sends no request; DrainCall does that when the
 * shopper has the response. It uses
 * woocommerce_order_status_changed only, because woocommerce_new_order fires for drafts.
 */
final class OrderHook {

	public function __construct( private readonly Outbox $outbox, private readonly Clock $clock, private readonly Log $log ) {}

	/**
	 * Checks its arguments, because other plugins fire the hook with any values.
	 *
	 * @param mixed $order_id Id of the order.
	 * @param mixed $from     Unused.
	 * @param mixed $to       New status without "wc-".
	 * @param mixed $order    The order. Refunds and subscriptions are ignored.
	 */
	public function changed( $order_id = 0, $from = '', $to = '', $order = null ): void {
		if ( ! is_numeric( $order_id ) || (int) $order_id < 1 || ! is_string( $to ) || ! get_option( ConnectionStore::ACTIVE ) ) {
			return;
		}
		if ( ! in_array( $to, ChosenStatuses::get(), true ) || ( is_object( $order ) && ! OrderFacts::is_order( $order ) ) ) {
			return;
		}
		if ( ! $this->outbox->add( (int) $order_id ) ) {
			$this->log->error( sprintf( 'order %d could not be noted in the outbox: the hourly sweep will find it', (int) $order_id ) );
			return;
		}
		Schedule::due_at( $this->clock->now() + Outbox::SEND_DELAY_SECONDS );
		SafeCall::run(
			$this->log,
			'tillsync_order_waits',
			static function () use ( $order_id ): void {
				/**
				 * Fires when an order has reached a chosen status and waits in the outbox.
				 *
				 * @param int $order_id Id of the order.
				 */
				do_action( 'tillsync_order_waits', (int) $order_id );
			}
		);
	}
}
