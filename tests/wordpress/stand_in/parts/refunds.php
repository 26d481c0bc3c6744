<?php
/** Refunds are orders without a buyer. They have no get_billing_email, get_customer_id or get_order_number. */

class WC_Order_Refund extends WC_Abstract_Order {
	protected $data = array(
		'parent_id'     => 0,
		'status'        => 'completed',
		'currency'      => 'GBP',
		'date_created'  => null,
		'date_modified' => null,
		'total'         => '0',
		'reason'        => '',
	);

	public function get_type() {
		return 'shop_order_refund';
	}

	public function get_reason( $context = 'view' ) {
		return $this->get_prop( 'reason' );
	}
}

function wc_create_refund( $args = array() ) {
	$order = wc_get_order( $args['order_id'] ?? 0 );
	if ( ! $order ) {
		return new WP_Error( 'error', 'Invalid order ID.' );
	}
	$refund = new WC_Order_Refund();
	$refund->set_parent_id( $order->get_id() );
	$refund->set_total( -1 * (float) ( $args['amount'] ?? 0 ) );
	$refund->save();
	$refunded = array_sum( array_map( static fn( $one ) => (float) $one->get_total(), wc_get_orders( array( 'type' => 'shop_order_refund', 'parent' => $order->get_id(), 'limit' => -1 ) ) ) );
	if ( (float) $order->get_total() + $refunded <= 0 ) {
		// This includes an order of zero, of which nothing was refunded.
		do_action( 'woocommerce_order_fully_refunded', $order->get_id(), $refund->get_id() );
		$order->update_status( 'refunded' );
	}
	do_action( 'woocommerce_order_refunded', $order->get_id(), $refund->get_id() );
	return $refund;
}
