<?php
/** The list of orders and the page of one order in wp-admin, for the table store. With the post store WordPress's own screens are used. */

add_action(
	'admin_menu',
	static function () {
		if ( ! Automattic\WooCommerce\Utilities\OrderUtil::custom_orders_table_usage_is_enabled() ) {
			return;
		}
		$hook = add_submenu_page( 'woocommerce', 'Orders', 'Orders', 'edit_others_shop_orders', 'wc-orders', 'wc_output_orders_page' );
		add_action( "load-$hook", 'wc_load_orders_page' );
	},
	10
);

function wc_screen_order() {
	return 'edit' === ( $_GET['action'] ?? '' ) ? wc_get_order( absint( $_GET['id'] ?? 0 ) ) : null; // phpcs:ignore
}

function wc_load_orders_page() {
	$screen = wc_get_page_screen_id( 'shop-order' );
	$order  = wc_screen_order();
	if ( $order ) {
		$GLOBALS['theorder'] = $order;
		if ( 'POST' === $_SERVER['REQUEST_METHOD'] ) {
			check_admin_referer( "update-order_{$order->get_id()}" );
			do_action( 'woocommerce_process_shop_order_meta', $order->get_id(), $order );
			$action = sanitize_text_field( wp_unslash( $_POST['wc_order_action'] ?? '' ) );
			if ( $action ) {
				do_action( "woocommerce_order_action_$action", $order );
			}
			wp_safe_redirect( add_query_arg( 'message', 1, $order->get_edit_order_url() ) );
			exit;
		}
		do_action( 'add_meta_boxes', $screen, $order );
		do_action( "add_meta_boxes_$screen", $order );
		return;
	}
	$action = sanitize_key( $_REQUEST['action'] ?? '' );
	if ( $action && '-1' !== $action && ! empty( $_REQUEST['id'] ) ) {
		check_admin_referer( 'bulk-orders' );
		$back = apply_filters( "handle_bulk_actions-$screen", admin_url( 'admin.php?page=wc-orders' ), $action, array_map( 'absint', (array) $_REQUEST['id'] ) );
		wp_safe_redirect( $back );
		exit;
	}
}

function wc_output_orders_page() {
	$screen = wc_get_page_screen_id( 'shop-order' );
	$order  = wc_screen_order();
	if ( $order ) {
		echo '<div class="wrap"><h1>Edit order</h1><form method="post" id="order">';
		wp_nonce_field( "update-order_{$order->get_id()}" );
		echo '<label for="wc_order_action">Order actions</label> <select name="wc_order_action" id="wc_order_action"><option value="">Choose an action...</option>';
		foreach ( apply_filters( 'woocommerce_order_actions', array( 'send_order_details' => 'Send order details to customer' ), $order ) as $action => $label ) {
			echo '<option value="' . esc_attr( $action ) . '">' . esc_html( $label ) . '</option>';
		}
		echo '</select> <button type="submit" class="button save_order">Update</button></form><div id="poststuff"><div id="post-body" class="columns-2"><div id="postbox-container-1">';
		do_meta_boxes( $screen, 'side', $order );
		echo '</div><div id="postbox-container-2">';
		do_meta_boxes( $screen, 'normal', $order );
		do_meta_boxes( $screen, 'advanced', $order );
		do_action( 'woocommerce_admin_order_data_after_order_details', $order );
		echo '</div></div></div></div>';
		return;
	}
	$columns = apply_filters( "manage_{$screen}_columns", array( 'cb' => '<input type="checkbox" />', 'order_number' => 'Order', 'order_date' => 'Date', 'order_status' => 'Status', 'order_total' => 'Total' ) );
	echo '<div class="wrap"><h1 class="wp-heading-inline">Orders</h1><hr class="wp-header-end"><form id="wc-orders-filter" method="get"><input type="hidden" name="page" value="wc-orders" />';
	wp_nonce_field( 'bulk-orders' );
	echo '<label for="bulk-action-selector-top" class="screen-reader-text">Select bulk action</label><select name="action" id="bulk-action-selector-top"><option value="-1">Bulk actions</option>';
	foreach ( apply_filters( "bulk_actions-$screen", array( 'mark_completed' => 'Change status to completed' ) ) as $action => $label ) {
		echo '<option value="' . esc_attr( $action ) . '">' . esc_html( $label ) . '</option>';
	}
	echo '</select><button class="button">Apply</button>';
	do_action( 'woocommerce_order_list_table_restrict_manage_orders', 'shop_order', 'top' );
	echo '<table class="wp-list-table widefat fixed striped orders"><thead><tr>';
	foreach ( $columns as $name => $label ) {
		echo '<th scope="col" class="manage-column column-' . esc_attr( $name ) . '">' . wp_kses_post( 'cb' === $name ? '<span class="screen-reader-text">Select</span>' : $label ) . '</th>';
	}
	echo '</tr></thead><tbody>';
	$query = apply_filters( 'woocommerce_order_list_table_prepare_items_query_args', array( 'limit' => 100 ) );
	foreach ( wc_get_orders( array( 'paginate' => true ) + $query )->orders as $row ) {
		echo '<tr id="order-' . (int) $row->get_id() . '">';
		foreach ( $columns as $name => $label ) {
			echo '<td class="column-' . esc_attr( $name ) . '">';
			if ( 'cb' === $name ) {
				echo '<input type="checkbox" name="id[]" value="' . (int) $row->get_id() . '" aria-label="Select order ' . (int) $row->get_id() . '" />';
			} elseif ( 'order_number' === $name ) {
				echo '<a class="order-view" href="' . esc_url( $row->get_edit_order_url() ) . '">#' . esc_html( $row->get_order_number() ) . '</a>';
			} elseif ( 'order_status' === $name ) {
				echo esc_html( wc_get_order_status_name( $row->get_status() ) );
			} elseif ( 'order_date' === $name ) {
				echo esc_html( wc_format_datetime( $row->get_date_created() ) );
			} elseif ( 'order_total' === $name ) {
				echo wp_kses_post( wc_price( $row->get_total() ) );
			}
			do_action( "manage_{$screen}_custom_column", $name, $row );
			echo '</td>';
		}
		echo '</tr>';
	}
	echo '</tbody></table></form></div>';
}

/** With the post store the list names the statuses, because they are not public. */
add_filter(
	'request',
	static function ( $query ) {
		if ( is_admin() && 'shop_order' === ( $query['post_type'] ?? '' ) && empty( $query['post_status'] ) ) {
			$query['post_status'] = array_keys( wc_get_order_statuses() );
		}
		return $query;
	}
);

/** With the post store, adds order actions and saves them on WordPress's own screen, as the real one does. */
add_action(
	'add_meta_boxes_shop_order',
	static function ( $post ) {
		add_meta_box(
			'woocommerce-order-actions',
			'Order actions',
			static function ( $post ) {
				wp_nonce_field( 'woocommerce_save_data', 'woocommerce_meta_nonce' );
				echo '<label class="screen-reader-text" for="wc_order_action">Order actions</label><select name="wc_order_action" id="wc_order_action"><option value="">Choose an action...</option>';
				foreach ( apply_filters( 'woocommerce_order_actions', array(), wc_get_order( $post->ID ) ) as $action => $label ) {
					echo '<option value="' . esc_attr( $action ) . '">' . esc_html( $label ) . '</option>';
				}
				echo '</select><button type="submit" class="button save_order">Update</button>';
			},
			'shop_order',
			'side'
		);
	}
);
add_action(
	'save_post_shop_order',
	static function ( $post_id ) {
		$action = sanitize_text_field( wp_unslash( $_POST['wc_order_action'] ?? '' ) ); // phpcs:ignore
		if ( $action && wp_verify_nonce( sanitize_key( $_POST['woocommerce_meta_nonce'] ?? '' ), 'woocommerce_save_data' ) ) {
			do_action( "woocommerce_order_action_$action", wc_get_order( $post_id ) );
		}
	},
	50
);
