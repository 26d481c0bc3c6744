<?php
/** Stores orders in their own tables. wp_posts has only a placeholder, so that ids stay unique. */

final class WC_Order_Tables {
	const PLACEHOLDER = 'shop_order_placehold';

	public static function install() {
		global $wpdb;
		$charset = $wpdb->get_charset_collate();
		dbDelta( "CREATE TABLE {$wpdb->prefix}wc_orders (\n id bigint(20) unsigned NOT NULL,\n status varchar(20) NULL,\n currency varchar(10) NULL,\n type varchar(20) NULL,\n total_amount decimal(26,8) NULL,\n customer_id bigint(20) unsigned NULL,\n billing_email varchar(320) NULL,\n date_created_gmt datetime NULL,\n date_updated_gmt datetime NULL,\n parent_order_id bigint(20) unsigned NULL,\n payment_method varchar(100) NULL,\n customer_note text NULL,\n PRIMARY KEY  (id),\n KEY status (status),\n KEY date_created (date_created_gmt)\n) $charset;" );
		dbDelta( "CREATE TABLE {$wpdb->prefix}wc_orders_meta (\n id bigint(20) unsigned NOT NULL auto_increment,\n order_id bigint(20) unsigned NULL,\n meta_key varchar(255) NULL,\n meta_value text NULL,\n PRIMARY KEY  (id),\n KEY order_id_meta_key (order_id,meta_key(100))\n) $charset;" );
		dbDelta( "CREATE TABLE {$wpdb->prefix}wc_order_addresses (\n id bigint(20) unsigned NOT NULL auto_increment,\n order_id bigint(20) unsigned NOT NULL,\n address_type varchar(20) NULL,\n first_name text NULL,\n last_name text NULL,\n company text NULL,\n address_1 text NULL,\n city text NULL,\n postcode text NULL,\n country text NULL,\n email varchar(320) NULL,\n phone varchar(100) NULL,\n PRIMARY KEY  (id),\n KEY order_id (order_id)\n) $charset;" );
		dbDelta( "CREATE TABLE {$wpdb->prefix}wc_order_operational_data (\n id bigint(20) unsigned NOT NULL auto_increment,\n order_id bigint(20) unsigned NULL,\n created_via varchar(100) NULL,\n order_key varchar(100) NULL,\n date_paid_gmt datetime NULL,\n date_completed_gmt datetime NULL,\n PRIMARY KEY  (id),\n UNIQUE KEY order_id (order_id)\n) $charset;" );
	}

	public function read( $id ) {
		global $wpdb;
		$row = $wpdb->get_row( $wpdb->prepare( "SELECT * FROM {$wpdb->prefix}wc_orders WHERE id = %d", $id ), ARRAY_A );
		if ( ! $row ) {
			return null;
		}
		$address = $wpdb->get_row( $wpdb->prepare( "SELECT * FROM {$wpdb->prefix}wc_order_addresses WHERE order_id = %d AND address_type = 'billing'", $id ), ARRAY_A ) ?? array();
		$more    = $wpdb->get_row( $wpdb->prepare( "SELECT * FROM {$wpdb->prefix}wc_order_operational_data WHERE order_id = %d", $id ), ARRAY_A ) ?? array();
		$props   = array(
			'type'           => $row['type'],
			'parent_id'      => (int) $row['parent_order_id'],
			'status'         => preg_replace( '/^wc-/', '', (string) $row['status'] ),
			'currency'       => $row['currency'],
			'total'          => $row['total_amount'],
			'date_created'   => wc_stored_time( $row['date_created_gmt'] ),
			'date_modified'  => wc_stored_time( $row['date_updated_gmt'] ),
			'customer_id'    => (int) $row['customer_id'],
			'customer_note'  => (string) $row['customer_note'],
			'payment_method' => (string) $row['payment_method'],
			'order_key'      => (string) ( $more['order_key'] ?? '' ),
			'created_via'    => (string) ( $more['created_via'] ?? '' ),
			'date_paid'      => wc_stored_time( $more['date_paid_gmt'] ?? null ),
		);
		foreach ( WC_Order::BILLING as $part ) {
			$props[ "billing_$part" ] = (string) ( $address[ $part ] ?? '' );
		}
		$props['billing_email'] = (string) $row['billing_email'];
		return $props;
	}

	public function create( $type, array $props ) {
		global $wpdb;
		$id = wp_insert_post( array( 'post_type' => self::PLACEHOLDER, 'post_status' => 'draft', 'post_title' => '' ) );
		$wpdb->insert( "{$wpdb->prefix}wc_orders", array( 'id' => $id, 'type' => $type ) );
		$this->update( $id, $props );
		return $id;
	}

	public function update( $id, array $props ) {
		global $wpdb;
		$status = $props['status'];
		$wpdb->update(
			"{$wpdb->prefix}wc_orders",
			array(
				'status'           => isset( wc_get_order_statuses()[ "wc-$status" ] ) ? "wc-$status" : $status,
				'currency'         => $props['currency'],
				'total_amount'     => $props['total'],
				'customer_id'      => $props['customer_id'] ?? 0,
				'billing_email'    => $props['billing_email'] ?? null,
				'date_created_gmt' => wc_time_to_store( $props['date_created'] ),
				'date_updated_gmt' => wc_time_to_store( $props['date_modified'] ),
				'parent_order_id'  => $props['parent_id'],
				'payment_method'   => $props['payment_method'] ?? null,
				'customer_note'    => $props['customer_note'] ?? null,
			),
			array( 'id' => $id )
		);
		if ( ! array_key_exists( 'order_key', $props ) ) {
			return;
		}
		$address = array( 'order_id' => $id, 'address_type' => 'billing' );
		foreach ( WC_Order::BILLING as $part ) {
			$address[ $part ] = $props[ "billing_$part" ];
		}
		$more = array( 'order_id' => $id, 'order_key' => $props['order_key'], 'created_via' => $props['created_via'], 'date_paid_gmt' => wc_time_to_store( $props['date_paid'] ) );
		foreach ( array( "{$wpdb->prefix}wc_order_addresses" => $address, "{$wpdb->prefix}wc_order_operational_data" => $more ) as $table => $row ) {
			if ( $wpdb->get_var( $wpdb->prepare( "SELECT COUNT(*) FROM $table WHERE order_id = %d", $id ) ) ) { // phpcs:ignore
				$wpdb->update( $table, $row, array( 'order_id' => $id ) );
			} else {
				$wpdb->insert( $table, $row );
			}
		}
	}

	public function delete( $id ) {
		global $wpdb;
		$wpdb->delete( "{$wpdb->prefix}wc_orders", array( 'id' => $id ) );
		foreach ( array( 'wc_orders_meta', 'wc_order_addresses', 'wc_order_operational_data' ) as $table ) {
			$wpdb->delete( $wpdb->prefix . $table, array( 'order_id' => $id ) );
		}
		wp_delete_post( $id, true );
	}

	/** Fires no status change. */
	public function trash( WC_Abstract_Order $order ) {
		global $wpdb;
		do_action( 'woocommerce_before_trash_order', $order->get_id(), $order );
		$this->add_meta( $order->get_id(), '_wp_trash_meta_status', 'wc-' . $order->get_status( 'edit' ) );
		$wpdb->update( "{$wpdb->prefix}wc_orders", array( 'status' => 'trash', 'date_updated_gmt' => gmdate( 'Y-m-d H:i:s' ) ), array( 'id' => $order->get_id() ) );
		$order->set_status( 'trash' );
		do_action( 'woocommerce_trash_order', $order->get_id() );
		return true;
	}

	/** Fires a status change from trash to the previous status. */
	public function untrash( WC_Order $order ) {
		if ( 'trash' !== $order->get_status() ) {
			return false;
		}
		do_action( 'woocommerce_untrash_order', $order->get_id(), $order->get_meta( '_wp_trash_meta_status' ) );
		$order->set_status( (string) $order->get_meta( '_wp_trash_meta_status' ) );
		$order->delete_meta_data( '_wp_trash_meta_status' );
		return (bool) $order->save();
	}

	public function read_meta( $id ) {
		global $wpdb;
		$rows = $wpdb->get_results( $wpdb->prepare( "SELECT id, meta_key, meta_value FROM {$wpdb->prefix}wc_orders_meta WHERE order_id = %d ORDER BY id", $id ) );
		return array_map( static fn( $row ) => array( 'id' => (int) $row->id, 'key' => $row->meta_key, 'value' => maybe_unserialize( $row->meta_value ) ), $rows );
	}

	public function add_meta( $id, $key, $value ) {
		global $wpdb;
		$wpdb->insert( "{$wpdb->prefix}wc_orders_meta", array( 'order_id' => $id, 'meta_key' => $key, 'meta_value' => maybe_serialize( $value ) ) ); // phpcs:ignore
		return (int) $wpdb->insert_id;
	}

	public function update_meta( $id, $meta_id, $key, $value ) {
		global $wpdb;
		$wpdb->update( "{$wpdb->prefix}wc_orders_meta", array( 'meta_key' => $key, 'meta_value' => maybe_serialize( $value ) ), array( 'id' => $meta_id ) ); // phpcs:ignore
	}

	public function delete_meta( $id, $meta_id ) {
		global $wpdb;
		$wpdb->delete( "{$wpdb->prefix}wc_orders_meta", array( 'id' => $meta_id ) );
	}

	/** Returns matching ids, newest first. The conditions are those of wc_get_orders, which checks them. */
	public function ids( array $query ) {
		global $wpdb;
		$where = array( '1 = 1' );
		$where[] = "type IN ('" . implode( "','", array_map( 'esc_sql', $query['type'] ) ) . "')";
		$where[] = "status IN ('" . implode( "','", array_map( 'esc_sql', $query['status'] ) ) . "')";
		foreach ( array( 'date_created' => 'date_created_gmt', 'date_modified' => 'date_updated_gmt' ) as $name => $column ) {
			foreach ( $query[ $name ] as $operator => $time ) {
				$where[] = $wpdb->prepare( "$column $operator %s", gmdate( 'Y-m-d H:i:s', $time ) ); // phpcs:ignore
			}
		}
		if ( null !== $query['customer_id'] ) {
			$where[] = $wpdb->prepare( 'customer_id = %d', $query['customer_id'] );
		}
		if ( null !== $query['billing_email'] ) {
			$where[] = $wpdb->prepare( 'billing_email = %s', $query['billing_email'] );
		}
		if ( null !== $query['parent'] ) {
			$where[] = $wpdb->prepare( 'parent_order_id = %d', $query['parent'] );
		}
		if ( $query['exclude'] ) {
			$where[] = 'id NOT IN (' . implode( ',', array_map( 'absint', $query['exclude'] ) ) . ')';
		}
		if ( $query['post__in'] ) {
			$where[] = 'id IN (' . implode( ',', array_map( 'absint', $query['post__in'] ) ) . ')';
		}
		$order = 'id' === $query['orderby'] || 'ID' === $query['orderby'] ? 'id' : ( 'modified' === $query['orderby'] ? 'date_updated_gmt' : 'date_created_gmt' );
		$sql   = "SELECT id FROM {$wpdb->prefix}wc_orders WHERE " . implode( ' AND ', $where ) . " ORDER BY $order {$query['order']}, id {$query['order']}";
		return array_map( 'intval', $wpdb->get_col( $sql ) ); // phpcs:ignore
	}
}
