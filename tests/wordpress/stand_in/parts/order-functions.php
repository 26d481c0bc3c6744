<?php
/** Functions about orders. */

function wc_order_store() {
	static $tables = null, $posts = null;
	return Automattic\WooCommerce\Utilities\OrderUtil::custom_orders_table_usage_is_enabled() ? $tables ?? $tables = new WC_Order_Tables() : $posts ?? $posts = new WC_Order_Posts();
}

function wc_stored_time( $gmt ) {
	return $gmt && '0000-00-00 00:00:00' !== $gmt ? new WC_DateTime( $gmt, new DateTimeZone( 'UTC' ) ) : null;
}

function wc_time_to_store( $time ) {
	return $time instanceof DateTime ? gmdate( 'Y-m-d H:i:s', $time->getTimestamp() ) : null;
}

function wc_get_order_statuses() {
	return apply_filters( 'wc_order_statuses', array( 'wc-pending' => 'Pending payment', 'wc-processing' => 'Processing', 'wc-on-hold' => 'On hold', 'wc-completed' => 'Completed', 'wc-cancelled' => 'Cancelled', 'wc-refunded' => 'Refunded', 'wc-failed' => 'Failed', 'wc-checkout-draft' => 'Draft' ) );
}

function wc_get_order_status_name( $status ) {
	$status = preg_replace( '/^wc-/', '', $status );
	return wc_get_order_statuses()[ "wc-$status" ] ?? $status;
}

function wc_get_is_paid_statuses() {
	return apply_filters( 'woocommerce_order_is_paid_statuses', array( 'processing', 'completed' ) );
}

function wc_get_order_types( $for = '' ) {
	return 'view-orders' === $for ? array( 'shop_order' ) : array( 'shop_order', 'shop_order_refund' );
}

/** Returns a refund for the id of a refund, and false if there is no order. */
function wc_get_order( $the_order = false ) {
	if ( $the_order instanceof WC_Abstract_Order ) {
		return $the_order;
	}
	$id = is_object( $the_order ) ? absint( $the_order->ID ?? 0 ) : absint( false === $the_order ? $GLOBALS['post']->ID ?? 0 : $the_order );
	$row = $id ? wc_order_store()->read( $id ) : null;
	if ( ! $row ) {
		return false;
	}
	return 'shop_order_refund' === $row['type'] ? new WC_Order_Refund( $id ) : new WC_Order( $id );
}

/** Throws LogicException for an argument that the stand-in does not implement. */
function wc_get_orders( $args ) {
	$args  = apply_filters( 'woocommerce_order_query_args', $args );
	$known = array( 'post__in', 'type', 'status', 'limit', 'page', 'offset', 'paginate', 'return', 'orderby', 'order', 'customer', 'customer_id', 'billing_email', 'date_created', 'date_modified', 'exclude', 'parent' );
	if ( array_diff( array_keys( $args ), $known ) ) {
		throw new LogicException( 'The stand-in\'s wc_get_orders does not know: ' . implode( ', ', array_diff( array_keys( $args ), $known ) ) );
	}
	$args += array( 'type' => wc_get_order_types( 'view-orders' ), 'status' => array_keys( wc_get_order_statuses() ), 'limit' => (int) get_option( 'posts_per_page' ), 'page' => 1, 'offset' => null, 'paginate' => false, 'return' => 'objects', 'orderby' => 'date', 'order' => 'DESC', 'exclude' => array(), 'parent' => null, 'billing_email' => null );
	$status = 'any' === $args['status'] ? array_keys( wc_get_order_statuses() ) : (array) $args['status'];
	$query  = array(
		'type'          => (array) $args['type'],
		'status'        => array_map( static fn( $name ) => isset( wc_get_order_statuses()[ "wc-$name" ] ) ? "wc-$name" : $name, $status ),
		'customer_id'   => $args['customer_id'] ?? ( is_numeric( $args['customer'] ?? null ) ? (int) $args['customer'] : null ),
		'billing_email' => $args['billing_email'] ?? ( is_string( $args['customer'] ?? null ) && is_email( $args['customer'] ) ? $args['customer'] : null ),
		'date_created'  => wc_time_conditions( $args['date_created'] ?? '' ),
		'date_modified' => wc_time_conditions( $args['date_modified'] ?? '' ),
		'exclude'       => $args['exclude'],
		'post__in'      => $args['post__in'] ?? array(),
		'parent'        => $args['parent'],
		'orderby'       => $args['orderby'],
		'order'         => 'ASC' === strtoupper( $args['order'] ) ? 'ASC' : 'DESC',
	);
	$ids   = wc_order_store()->ids( $query );
	$total = count( $ids );
	$limit = (int) $args['limit'];
	$page  = $limit < 0 ? $ids : array_slice( $ids, $args['offset'] ?? ( max( 1, (int) $args['page'] ) - 1 ) * $limit, $limit );
	$found = 'ids' === $args['return'] ? $page : array_values( array_filter( array_map( 'wc_get_order', $page ) ) );
	return apply_filters( 'woocommerce_order_query', $args['paginate'] ? (object) array( 'orders' => $found, 'total' => $total, 'max_num_pages' => $limit > 0 ? (int) ceil( $total / $limit ) : 1 ) : $found, $args );
}

/** Accepts `>time`, `>=time`, `<time`, `<=time` and `from...to`. Numeric times are exact to the second. Dates cover their whole day. */
function wc_time_conditions( $given ) {
	if ( '' === $given || null === $given ) {
		return array();
	}
	$seconds = static fn( $text ) => is_numeric( $text ) ? (int) $text : wc_string_to_datetime( $text )->getTimestamp();
	if ( is_string( $given ) && false !== strpos( $given, '...' ) ) {
		list( $from, $to ) = explode( '...', $given );
		return array( '>=' => $seconds( $from ), '<=' => $seconds( $to ) + ( is_numeric( $to ) ? 0 : DAY_IN_SECONDS - 1 ) );
	}
	if ( preg_match( '/^(>=|<=|>|<)(.+)$/', (string) $given, $parts ) ) {
		$day = is_numeric( $parts[2] ) || strlen( $parts[2] ) > 10 ? 0 : DAY_IN_SECONDS - 1;
		return array( $parts[1] => $seconds( $parts[2] ) + ( in_array( $parts[1], array( '>', '<=' ), true ) ? $day : 0 ) );
	}
	return array( '>=' => $seconds( $given ), '<=' => $seconds( $given ) + ( is_numeric( $given ) ? 0 : DAY_IN_SECONDS - 1 ) );
}

/** Saves before a caller can set an email, so its status change fires with customer 0 and no email. */
function wc_create_order( $args = array() ) {
	try {
		$order = new WC_Order( $args['order_id'] ?? 0 );
		foreach ( array( 'status', 'customer_id', 'customer_note', 'created_via' ) as $prop ) {
			if ( isset( $args[ $prop ] ) ) {
				$order->{"set_$prop"}( $args[ $prop ] );
			}
		}
		$order->save();
		return $order;
	} catch ( Exception $e ) {
		return new WP_Error( 'error', $e->getMessage() );
	}
}

function wc_get_order_id_by_order_key( $key ) {
	foreach ( wc_get_orders( array( 'limit' => -1, 'return' => 'objects' ) ) as $order ) {
		if ( $order->get_order_key() === $key ) {
			return $order->get_id();
		}
	}
	return 0;
}

function wc_orders_count( $status ) {
	return count( wc_get_orders( array( 'status' => $status, 'limit' => -1, 'return' => 'ids' ) ) );
}
