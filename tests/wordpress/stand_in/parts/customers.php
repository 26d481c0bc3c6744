<?php
/** Customers are users. Their billing data is user meta. */

class WC_Customer extends WC_Data {
	protected $data = array( 'email' => '', 'first_name' => '', 'last_name' => '', 'display_name' => '', 'role' => 'customer', 'username' => '', 'billing_first_name' => '', 'billing_last_name' => '', 'billing_company' => '', 'billing_phone' => '', 'billing_email' => '' );

	/** A missing user gives the id 0 and no exception. */
	public function __construct( $data = 0, $is_session = false ) {
		$user = get_user_by( 'id', absint( $data instanceof self ? $data->get_id() : $data ) );
		if ( $user ) {
			$this->id   = $user->ID;
			$this->data = array( 'email' => $user->user_email, 'display_name' => $user->display_name, 'role' => $user->roles ? reset( $user->roles ) : '', 'username' => $user->user_login ) + $this->data;
			foreach ( array( 'first_name', 'last_name', 'billing_first_name', 'billing_last_name', 'billing_company', 'billing_phone', 'billing_email' ) as $prop ) {
				$this->data[ $prop ] = get_user_meta( $user->ID, $prop, true );
			}
		}
		$this->object_read = true;
	}

	protected function meta_store() {
		return new class() {
			public function read_meta( $id ) {
				global $wpdb;
				$rows = $wpdb->get_results( $wpdb->prepare( "SELECT umeta_id, meta_key, meta_value FROM $wpdb->usermeta WHERE user_id = %d ORDER BY umeta_id", $id ) );
				return array_map( static fn( $row ) => array( 'id' => (int) $row->umeta_id, 'key' => $row->meta_key, 'value' => maybe_unserialize( $row->meta_value ) ), $rows );
			}

			public function add_meta( $id, $key, $value ) {
				return (int) add_user_meta( $id, $key, wp_slash( $value ) );
			}

			public function update_meta( $id, $meta_id, $key, $value ) {
				update_metadata_by_mid( 'user', $meta_id, $value, $key );
			}

			public function delete_meta( $id, $meta_id ) {
				delete_metadata_by_mid( 'user', $meta_id );
			}
		};
	}

	public function get_email( $context = 'view' ) {
		return $this->get_prop( 'email' );
	}

	public function get_display_name( $context = 'view' ) {
		return $this->get_prop( 'display_name' );
	}

	public function get_username( $context = 'view' ) {
		return $this->get_prop( 'username' );
	}

	public function get_role( $context = 'view' ) {
		return $this->get_prop( 'role' );
	}

	public function set_role( $role ) {
		$this->set_prop( 'role', $role );
	}

	public function get_first_name( $context = 'view' ) {
		return $this->get_prop( 'first_name' );
	}

	public function set_first_name( $value ) {
		$this->set_prop( 'first_name', $value );
	}

	public function get_last_name( $context = 'view' ) {
		return $this->get_prop( 'last_name' );
	}

	public function set_last_name( $value ) {
		$this->set_prop( 'last_name', $value );
	}

	public function get_billing_first_name( $context = 'view' ) {
		return $this->get_prop( 'billing_first_name' );
	}

	public function set_billing_first_name( $value ) {
		$this->set_prop( 'billing_first_name', $value );
	}

	public function get_billing_last_name( $context = 'view' ) {
		return $this->get_prop( 'billing_last_name' );
	}

	public function set_billing_last_name( $value ) {
		$this->set_prop( 'billing_last_name', $value );
	}

	public function get_billing_company( $context = 'view' ) {
		return $this->get_prop( 'billing_company' );
	}

	public function get_billing_phone( $context = 'view' ) {
		return $this->get_prop( 'billing_phone' );
	}

	public function set_billing_phone( $value ) {
		$this->set_prop( 'billing_phone', $value );
	}

	public function get_billing_email( $context = 'view' ) {
		return $this->get_prop( 'billing_email' );
	}

	public function save() {
		if ( ! $this->id ) {
			return 0;
		}
		// The role is written by wp_update_user, which calls set_role. A change that includes the role removes second roles.
		$user = array( 'ID' => $this->id, 'user_email' => $this->get_email(), 'display_name' => $this->get_display_name() );
		if ( array_key_exists( 'role', $this->changes ) ) {
			$user['role'] = $this->changes['role'];
		}
		wp_update_user( $user );
		foreach ( array( 'first_name', 'last_name', 'billing_first_name', 'billing_last_name', 'billing_phone' ) as $prop ) {
			if ( array_key_exists( $prop, $this->changes ) ) {
				update_user_meta( $this->id, $prop, $this->changes[ $prop ] );
			}
		}
		update_user_meta( $this->id, 'last_update', (string) time() );
		$this->save_meta_data();
		$this->apply_changes();
		do_action( 'woocommerce_update_customer', $this->id, $this );
		return $this->id;
	}
}

function wc_create_new_customer( $email, $username = '', $password = '', $args = array() ) {
	if ( email_exists( $email ) ) {
		return new WP_Error( 'registration-error-email-exists', 'An account is already registered.' );
	}
	$id = wp_insert_user( $args + array( 'user_login' => $username ? $username : sanitize_user( strstr( $email, '@', true ), true ), 'user_pass' => $password ? $password : wp_generate_password(), 'user_email' => $email, 'role' => 'customer' ) );
	if ( ! is_wp_error( $id ) ) {
		do_action( 'woocommerce_created_customer', $id, array(), false );
	}
	return $id;
}

/** Links a new customer's earlier guest orders to the customer. Only woocommerce_update_order fires. */
function wc_update_new_customer_past_orders( $customer_id ) {
	$user   = get_user_by( 'id', $customer_id );
	$linked = 0;
	foreach ( wc_get_orders( array( 'limit' => -1, 'customer_id' => 0, 'billing_email' => $user->user_email ) ) as $order ) {
		$order->set_customer_id( $customer_id );
		$order->save();
		++$linked;
	}
	return $linked;
}

/** Orders of a deleted user keep their billing email. */
add_action(
	'deleted_user',
	static function ( $user_id ) {
		global $wpdb;
		if ( Automattic\WooCommerce\Utilities\OrderUtil::custom_orders_table_usage_is_enabled() ) {
			$wpdb->update( "{$wpdb->prefix}wc_orders", array( 'customer_id' => 0 ), array( 'customer_id' => $user_id ) );
		} else {
			$wpdb->update( $wpdb->postmeta, array( 'meta_value' => 0 ), array( 'meta_key' => '_customer_user', 'meta_value' => $user_id ) ); // phpcs:ignore
		}
	}
);
