<?php
/**
 * Two checkouts that place an order without goods: `?wc-ajax=checkout` (the classic one) and `wc/store/v1/checkout` (the block one). An
 * Exception of a callback is caught where the status changes. An Error is not caught, and answers HTTP 500.
 */

function wc_place_order( WC_Order $order, array $billing ) {
	$order->set_customer_id( get_current_user_id() );
	$order->set_props( array_combine( array_map( static fn( $key ) => "billing_$key", array_keys( $billing ) ), $billing ) );
	$order->set_payment_method( 'cod' );
}

add_action(
	'template_redirect',
	static function () {
		if ( 'checkout' !== ( $_GET['wc-ajax'] ?? '' ) ) { // phpcs:ignore
			return;
		}
		define( 'DOING_AJAX', true );
		try {
			$billing = array();
			foreach ( WC_Order::BILLING as $part ) {
				$billing[ $part ] = wc_clean( wp_unslash( $_POST[ "billing_$part" ] ?? '' ) ); // phpcs:ignore
			}
			$order = new WC_Order();
			$order->set_created_via( 'checkout' );
			wc_place_order( $order, $billing );
			do_action( 'woocommerce_checkout_create_order', $order, $_POST ); // phpcs:ignore
			$order->save();
			do_action( 'woocommerce_checkout_update_order_meta', $order->get_id(), $_POST ); // phpcs:ignore
			do_action( 'woocommerce_checkout_order_processed', $order->get_id(), $_POST, $order ); // phpcs:ignore
			$order->update_status( 'processing', 'Payment to be made upon delivery.' );
			wp_send_json( array( 'result' => 'success', 'order_id' => $order->get_id(), 'redirect' => home_url( '/' ) ) );
		} catch ( Exception $e ) {
			wp_send_json( array( 'result' => 'failure', 'messages' => $e->getMessage() ) );
		}
	},
	0
);

add_action(
	'rest_api_init',
	static function () {
		$draft = static function () {
			// The default status makes it a draft, so no change of status fires.
			$as_draft = static fn() => 'checkout-draft';
			add_filter( 'woocommerce_default_order_status', $as_draft );
			$order = new WC_Order();
			$order->set_created_via( 'store-api' );
			$order->save();
			remove_filter( 'woocommerce_default_order_status', $as_draft );
			return $order;
		};
		register_rest_route(
			'wc/store/v1',
			'/checkout',
			array(
				array(
					// Opening the checkout creates a draft, whose email is still empty.
					'methods'             => 'GET',
					'permission_callback' => '__return_true',
					'callback'            => static function () use ( $draft ) {
						$id = $draft()->get_id();
						setcookie( 'wc_draft', (string) $id, 0, '/' );
						return array( 'order_id' => $id );
					},
				),
				array(
					'methods'             => 'POST',
					'permission_callback' => '__return_true',
					'callback'            => static function ( WP_REST_Request $request ) use ( $draft ) {
						try {
							$known = wc_get_order( absint( $_COOKIE['wc_draft'] ?? 0 ) );
							$order = $known ? $known : $draft();
							wc_place_order( $order, array_intersect_key( (array) $request->get_param( 'billing_address' ), array_flip( WC_Order::BILLING ) ) );
							$order->set_status( 'pending' );
							$order->save();
							do_action( 'woocommerce_store_api_checkout_order_processed', $order );
							$order->update_status( 'processing', 'Payment to be made upon delivery.' );
							return array( 'order_id' => $order->get_id(), 'status' => $order->get_status(), 'payment_result' => array( 'payment_status' => 'success' ) );
						} catch ( Exception $e ) {
							return new WP_Error( 'woocommerce_rest_unknown_server_error', $e->getMessage(), array( 'status' => 500 ) );
						}
					},
				),
			)
		);
	}
);
