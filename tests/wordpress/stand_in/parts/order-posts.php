<?php
/** Stores orders as posts with post meta. This is WooCommerce's older store. */

final class WC_Order_Posts {
	private static $keys = array( 'customer_id' => '_customer_user', 'order_key' => '_order_key', 'created_via' => '_created_via', 'payment_method' => '_payment_method', 'currency' => '_order_currency', 'total' => '_order_total', 'date_paid' => '_date_paid', 'date_completed' => '_date_completed' );

	private static function keys() {
		$keys = self::$keys;
		foreach ( WC_Order::BILLING as $part ) {
			$keys[ "billing_$part" ] = "_billing_$part";
		}
		return $keys;
	}

	public function read( $id ) {
		$post = get_post( $id );
		if ( ! $post || ! in_array( $post->post_type, array( 'shop_order', 'shop_order_refund' ), true ) ) {
			return null;
		}
		$props = array(
			'type'          => $post->post_type,
			'parent_id'     => (int) $post->post_parent,
			'status'        => preg_replace( '/^wc-/', '', $post->post_status ),
			'date_created'  => wc_stored_time( $post->post_date_gmt ),
			'date_modified' => wc_stored_time( $post->post_modified_gmt ),
			'customer_note' => $post->post_excerpt,
		);
		foreach ( self::keys() as $prop => $key ) {
			$value          = get_post_meta( $id, $key, true );
			$props[ $prop ] = 'customer_id' === $prop ? (int) $value : ( 0 === strpos( $prop, 'date_' ) ? ( $value ? wc_string_to_datetime( $value ) : null ) : $value );
		}
		return $props;
	}

	private static function post( array $props ) {
		$status = $props['status'];
		return array(
			'post_status'       => isset( wc_get_order_statuses()[ "wc-$status" ] ) ? "wc-$status" : $status,
			'post_parent'       => $props['parent_id'],
			'post_excerpt'      => $props['customer_note'] ?? '',
			'post_date'         => get_date_from_gmt( wc_time_to_store( $props['date_created'] ) ),
			'post_date_gmt'     => wc_time_to_store( $props['date_created'] ),
			'post_modified'     => get_date_from_gmt( wc_time_to_store( $props['date_modified'] ) ),
			'post_modified_gmt' => wc_time_to_store( $props['date_modified'] ),
		);
	}

	public function create( $type, array $props ) {
		$id = wp_insert_post( array( 'post_type' => $type, 'post_title' => 'Order', 'ping_status' => 'closed', 'post_password' => wp_generate_password( 10, false ) ) + self::post( $props ) );
		$this->write_props( $id, $props );
		return $id;
	}

	public function update( $id, array $props ) {
		global $wpdb;
		wp_update_post( array( 'ID' => $id ) + self::post( $props ) );
		$wpdb->update( $wpdb->posts, array_intersect_key( self::post( $props ), array( 'post_modified' => 1, 'post_modified_gmt' => 1 ) ), array( 'ID' => $id ) );
		clean_post_cache( $id );
		$this->write_props( $id, $props );
	}

	private function write_props( $id, array $props ) {
		foreach ( array_intersect_key( self::keys(), $props ) as $prop => $key ) {
			$value = $props[ $prop ];
			update_post_meta( $id, $key, $value instanceof DateTime ? $value->getTimestamp() : wp_slash( (string) $value ) );
		}
	}

	public function delete( $id ) {
		wp_delete_post( $id, true );
	}

	public function trash( WC_Abstract_Order $order ) {
		do_action( 'woocommerce_before_trash_order', $order->get_id(), $order );
		wp_trash_post( $order->get_id() );
		$order->set_status( 'trash' );
		do_action( 'woocommerce_trash_order', $order->get_id() );
		return true;
	}

	public function untrash( WC_Order $order ) {
		if ( 'trash' !== $order->get_status() ) {
			return false;
		}
		$order->set_status( (string) $order->get_meta( '_wp_trash_meta_status' ) );
		$order->delete_meta_data( '_wp_trash_meta_status' );
		return (bool) $order->save();
	}

	public function read_meta( $id ) {
		global $wpdb;
		$rows = $wpdb->get_results( $wpdb->prepare( "SELECT meta_id, meta_key, meta_value FROM $wpdb->postmeta WHERE post_id = %d ORDER BY meta_id", $id ) );
		$rows = array_filter( $rows, static fn( $row ) => ! in_array( $row->meta_key, self::keys(), true ) );
		return array_values( array_map( static fn( $row ) => array( 'id' => (int) $row->meta_id, 'key' => $row->meta_key, 'value' => maybe_unserialize( $row->meta_value ) ), $rows ) );
	}

	public function add_meta( $id, $key, $value ) {
		return (int) add_post_meta( $id, $key, wp_slash( $value ) );
	}

	public function update_meta( $id, $meta_id, $key, $value ) {
		update_metadata_by_mid( 'post', $meta_id, $value, $key );
	}

	public function delete_meta( $id, $meta_id ) {
		delete_metadata_by_mid( 'post', $meta_id );
	}

	public function ids( array $query ) {
		$arguments = array(
			'post_type'        => $query['type'],
			'post_status'      => $query['status'],
			'posts_per_page'   => -1,
			'fields'           => 'ids',
			'orderby'          => in_array( $query['orderby'], array( 'id', 'ID' ), true ) ? 'ID' : ( 'modified' === $query['orderby'] ? 'modified' : array( 'date' => $query['order'], 'ID' => $query['order'] ) ),
			'order'            => $query['order'],
			'post__not_in'     => $query['exclude'], // phpcs:ignore
			'meta_query'       => array(), // phpcs:ignore
			'date_query'       => array(),
			'post__in'         => $query['post__in'], // phpcs:ignore
			'suppress_filters' => true,
		);
		if ( null !== $query['parent'] ) {
			$arguments['post_parent'] = $query['parent'];
		}
		foreach ( array( 'customer_id' => '_customer_user', 'billing_email' => '_billing_email' ) as $name => $key ) {
			if ( null !== $query[ $name ] ) {
				$arguments['meta_query'][] = array( 'key' => $key, 'value' => (string) $query[ $name ] );
			}
		}
		foreach ( array( 'date_created' => 'post_date_gmt', 'date_modified' => 'post_modified_gmt' ) as $name => $column ) {
			foreach ( $query[ $name ] as $operator => $time ) {
				$arguments['date_query'][] = array( 'column' => $column, ( '>' === $operator[0] ? 'after' : 'before' ) => gmdate( 'Y-m-d H:i:s', $time ), 'inclusive' => '=' === substr( $operator, -1 ) );
			}
		}
		return array_map( 'intval', get_posts( $arguments ) );
	}
}

add_action(
	'init',
	static function () {
		$type = array( 'public' => false, 'show_ui' => true, 'show_in_menu' => current_user_can( 'manage_woocommerce' ) ? 'woocommerce' : true, 'capability_type' => 'shop_order', 'map_meta_cap' => true, 'supports' => array( 'title', 'comments', 'custom-fields' ), 'label' => 'Orders', 'has_archive' => false, 'hierarchical' => false );
		register_post_type( 'shop_order', array( 'show_ui' => ! Automattic\WooCommerce\Utilities\OrderUtil::custom_orders_table_usage_is_enabled() ) + $type );
		register_post_type( 'shop_order_refund', array( 'show_ui' => false, 'capability_type' => 'shop_order', 'map_meta_cap' => true, 'public' => false ) );
		register_post_type( WC_Order_Tables::PLACEHOLDER, array( 'public' => false, 'exclude_from_search' => true ) );
		foreach ( wc_get_order_statuses() as $status => $label ) {
			register_post_status( $status, array( 'label' => $label, 'public' => false, 'exclude_from_search' => false, 'show_in_admin_all_list' => true, 'show_in_admin_status_list' => true ) );
		}
	},
	5
);
