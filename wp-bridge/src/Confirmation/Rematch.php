<?php
/**
 * The new match after a confirmation.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Confirmation;

use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Orders\DrainTimer;
use Tillsync\Bridge\Orders\OrderFacts;
use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Orders\OutboxRow;
use Tillsync\Bridge\SafeCall;
use WC_Order;

/**
 * Requests a new match of a confirmed shopper's newest order, in the background. It links the shopper, so points arrive without a new
 * order.
 */
class Rematch {

	/** Number of orders to read. */
	private const NEWEST = 10;

	public function __construct(
		private readonly DrainTimer $drain_timer,
		private readonly CopyGuard $copy_guard,
		private readonly Outbox $outbox,
		private readonly Log $log
	) {}

	public function request( int $user_id ): void {
		SafeCall::run( $this->log, 'orders of a confirmed shopper', fn() => $this->request_match( $user_id ) );
	}

	private function request_match( int $user_id ): void {
		if ( null === $this->copy_guard->usable() || ! function_exists( 'wc_get_orders' ) ) {
			return;
		}
		$order = $this->order( $user_id );
		if ( null !== $order && $this->outbox->request_match( $order->get_id() ) ) {
			$this->drain_timer->now();
		}
	}

	/**
	 * Returns the newest order that was sent. An order billed to the account's own email comes first, because another billing email does
	 * not link.
	 */
	private function order( int $user_id ): ?WC_Order {
		$user   = get_userdata( $user_id );
		$found  = wc_get_orders( array( 'customer_id' => $user_id, 'type' => 'shop_order', 'limit' => self::NEWEST, 'orderby' => 'ID', 'order' => 'DESC' ) );
		$chosen = null;
		foreach ( is_array( $found ) ? $found : array() as $order ) {
			$is_own = $order instanceof WC_Order && null !== OrderFacts::buyer( $order );
			$row    = $is_own ? $this->outbox->find( $order->get_id() ) : null;
			// An order without a hash was never sent, or the person's data was erased and must not be sent again.
			if ( null === $row || ( '' === $row->facts_hash && OutboxRow::WAITING !== $row->state ) ) {
				continue;
			}
			if ( false !== $user && 0 === strcasecmp( $order->get_billing_email(), $user->user_email ) ) {
				return $order;
			}
			$chosen ??= $order;
		}
		return $chosen;
	}
}
