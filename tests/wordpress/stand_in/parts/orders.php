<?php
/** Orders. Each access chooses the store by the option. */

abstract class WC_Abstract_Order extends WC_Data {
	protected $data = array(
		'parent_id'     => 0,
		'status'        => '',
		'currency'      => 'GBP',
		'date_created'  => null,
		'date_modified' => null,
		'total'         => '0',
	);

	public function __construct( $order = 0 ) {
		$id = $order instanceof self ? $order->get_id() : absint( is_object( $order ) ? $order->ID ?? 0 : $order );
		if ( $id ) {
			$row = $this->store()->read( $id );
			if ( ! $row || $row['type'] !== $this->get_type() ) {
				throw new Exception( 'Invalid order.' );
			}
			$this->id   = $id;
			$this->data = array_replace( $this->data, array_intersect_key( $row, $this->data ) );
		}
		$this->object_read = true;
	}

	abstract public function get_type();

	protected function store() {
		return wc_order_store();
	}

	protected function meta_store() {
		return wc_order_store();
	}

	public function get_parent_id( $context = 'view' ) {
		return $this->get_prop( 'parent_id' );
	}

	public function set_parent_id( $id ) {
		$this->set_prop( 'parent_id', absint( $id ) );
	}

	public function get_status( $context = 'view' ) {
		$status = $this->get_prop( 'status' );
		return '' === $status && 'view' === $context ? apply_filters( 'woocommerce_default_order_status', 'pending' ) : $status;
	}

	public function has_status( $status ) {
		return in_array( $this->get_status(), (array) $status, true );
	}

	public function set_status( $new_status ) {
		$old = $this->get_status();
		$new = 0 === strpos( $new_status, 'wc-' ) ? substr( $new_status, 3 ) : $new_status;
		if ( $this->object_read && ! isset( wc_get_order_statuses()[ "wc-$new" ] ) && ! in_array( $new, array( 'auto-draft', 'draft', 'trash', 'checkout-draft' ), true ) ) {
			$new = 'pending';
		}
		$this->set_prop( 'status', $new );
		return array( 'from' => $old, 'to' => $new );
	}

	public function get_currency( $context = 'view' ) {
		return $this->get_prop( 'currency' );
	}

	public function get_total( $context = 'view' ) {
		return $this->get_prop( 'total' );
	}

	public function set_total( $total ) {
		$this->set_prop( 'total', (string) $total );
	}

	public function get_date_created( $context = 'view' ) {
		return $this->get_prop( 'date_created' );
	}

	public function set_date_created( $date ) {
		$this->set_prop( 'date_created', null === $date || $date instanceof WC_DateTime ? $date : wc_string_to_datetime( $date ) );
	}

	public function get_date_modified( $context = 'view' ) {
		return $this->get_prop( 'date_modified' );
	}

	public function set_date_modified( $date ) {
		$this->set_prop( 'date_modified', null === $date || $date instanceof WC_DateTime ? $date : wc_string_to_datetime( $date ) );
	}

	public function get_items( $types = 'line_item' ) {
		return array();
	}

	/** Returns all properties with the unsaved changes, for the store. */
	public function props() {
		return array_replace( $this->data, $this->changes );
	}

	public function save() {
		try {
			do_action( 'woocommerce_before_' . str_replace( 'shop_', '', $this->get_type() ) . '_object_save', $this, $this->store() );
			$this->id ? $this->update() : $this->create();
			do_action( 'woocommerce_after_' . str_replace( 'shop_', '', $this->get_type() ) . '_object_save', $this, $this->store() );
		} catch ( Exception $e ) {
			wc_get_logger()->error( 'Error saving order', array( 'error' => $e ) );
		}
		return $this->id;
	}

	private function create() {
		if ( ! $this->get_date_created() ) {
			$this->set_date_created( time() );
		}
		$this->set_date_modified( time() );
		$this->before_create();
		$this->id = $this->store()->create( $this->get_type(), $this->props() );
		$this->save_meta_data();
		$status = $this->get_status( 'edit' );
		$this->apply_changes();
		if ( 'shop_order' === $this->get_type() && ! in_array( $status, array( 'auto-draft', 'draft', 'checkout-draft' ), true ) ) {
			do_action( 'woocommerce_new_order', $this->id, $this );
		}
	}

	protected function before_create() {}

	private function update() {
		$before  = $this->data['status'];
		$changes = $this->changes;
		$this->save_meta_data();
		if ( ! array_key_exists( 'date_modified', $this->changes ) && $this->changes ) {
			$this->set_date_modified( time() );
		}
		$this->store()->update( $this->id, $this->props() );
		$this->apply_changes();
		$drafts = array( 'new', 'auto-draft', 'draft', 'checkout-draft' );
		if ( ! empty( $changes['status'] ) && in_array( $before, $drafts, true ) && ! in_array( $changes['status'], $drafts, true ) ) {
			do_action( 'woocommerce_new_order', $this->id, $this );
		} elseif ( empty( $changes['status'] ) || ! in_array( 'trash', array( $changes['status'], $before ), true ) ) {
			do_action( 'woocommerce_update_order', $this->id, $this );
		}
	}

	/** Moves the order to the bin, or deletes it permanently. */
	public function delete( $force_delete = false ) {
		$id = $this->id;
		if ( $force_delete ) {
			do_action( 'woocommerce_before_delete_order', $id, $this );
			$this->store()->delete( $id );
			$this->id = 0;
			do_action( 'woocommerce_delete_order', $id );
			return true;
		}
		$this->store()->trash( $this );
		$this->id = 0;
		return true;
	}

	protected function after_meta_change() {
		// The table store saves the whole order if the order was last changed before this second.
		if ( $this->store() instanceof WC_Order_Tables && $this->get_date_modified() && $this->get_date_modified()->getTimestamp() < time() && ! $this->changes && apply_filters( 'woocommerce_orders_table_datastore_should_save_after_meta_change', true ) ) {
			$this->set_date_modified( time() );
			$this->save();
		}
	}
}

class WC_Order extends WC_Abstract_Order {
	private $status_transition = false;

	public function __construct( $order = 0 ) {
		$billing     = array_fill_keys( array_map( static fn( $part ) => "billing_$part", self::BILLING ), '' );
		$this->data += $billing + array( 'customer_id' => 0, 'order_key' => '', 'customer_note' => '', 'created_via' => '', 'payment_method' => '', 'date_paid' => null, 'date_completed' => null );
		parent::__construct( $order );
	}

	const BILLING = array( 'first_name', 'last_name', 'company', 'email', 'phone', 'address_1', 'city', 'postcode', 'country' );

	public function get_type() {
		return 'shop_order';
	}

	public function get_order_number() {
		return (string) apply_filters( 'woocommerce_order_number', $this->id, $this );
	}

	public function get_order_key( $context = 'view' ) {
		return $this->get_prop( 'order_key' );
	}

	public function set_order_key( $key ) {
		$this->set_prop( 'order_key', substr( $key, 0, 22 ) );
	}

	public function get_customer_id( $context = 'view' ) {
		return $this->get_prop( 'customer_id' );
	}

	public function get_user_id( $context = 'view' ) {
		return $this->get_customer_id();
	}

	public function get_user() {
		return $this->get_customer_id() ? get_user_by( 'id', $this->get_customer_id() ) : false;
	}

	public function set_customer_id( $id ) {
		$this->set_prop( 'customer_id', absint( $id ) );
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

	public function get_formatted_billing_full_name() {
		return trim( $this->get_billing_first_name() . ' ' . $this->get_billing_last_name() );
	}

	public function get_billing_company( $context = 'view' ) {
		return $this->get_prop( 'billing_company' );
	}

	public function set_billing_company( $value ) {
		$this->set_prop( 'billing_company', $value );
	}

	public function get_billing_email( $context = 'view' ) {
		return $this->get_prop( 'billing_email' );
	}

	public function set_billing_email( $value ) {
		if ( $value && ! is_email( $value ) ) {
			throw new WC_Data_Exception( 'order_invalid_billing_email', 'Invalid billing email address' );
		}
		$this->set_prop( 'billing_email', sanitize_email( (string) $value ) );
	}

	public function get_billing_phone( $context = 'view' ) {
		return $this->get_prop( 'billing_phone' );
	}

	public function set_billing_phone( $value ) {
		$this->set_prop( 'billing_phone', $value );
	}

	public function get_billing_address_1( $context = 'view' ) {
		return $this->get_prop( 'billing_address_1' );
	}

	public function set_billing_address_1( $value ) {
		$this->set_prop( 'billing_address_1', $value );
	}

	public function get_billing_city( $context = 'view' ) {
		return $this->get_prop( 'billing_city' );
	}

	public function set_billing_city( $value ) {
		$this->set_prop( 'billing_city', $value );
	}

	public function get_billing_postcode( $context = 'view' ) {
		return $this->get_prop( 'billing_postcode' );
	}

	public function set_billing_postcode( $value ) {
		$this->set_prop( 'billing_postcode', $value );
	}

	public function get_billing_country( $context = 'view' ) {
		return $this->get_prop( 'billing_country' );
	}

	public function set_billing_country( $value ) {
		$this->set_prop( 'billing_country', $value );
	}

	public function get_customer_note( $context = 'view' ) {
		return $this->get_prop( 'customer_note' );
	}

	public function set_customer_note( $value ) {
		$this->set_prop( 'customer_note', $value );
	}

	public function get_created_via( $context = 'view' ) {
		return $this->get_prop( 'created_via' );
	}

	public function set_created_via( $value ) {
		$this->set_prop( 'created_via', $value );
	}

	public function get_payment_method( $context = 'view' ) {
		return $this->get_prop( 'payment_method' );
	}

	public function set_payment_method( $value ) {
		$this->set_prop( 'payment_method', $value );
	}

	public function get_date_paid( $context = 'view' ) {
		return $this->get_prop( 'date_paid' );
	}

	public function get_date_completed( $context = 'view' ) {
		return $this->get_prop( 'date_completed' );
	}

	public function get_edit_order_url() {
		return Automattic\WooCommerce\Utilities\OrderUtil::get_order_admin_edit_url( $this->id );
	}

	public function get_view_order_url() {
		return wc_get_endpoint_url( 'view-order', $this->id, wc_get_page_permalink( 'myaccount' ) );
	}

	/** Only goods that are not downloads need processing. No order of the stand-in has goods. */
	public function needs_processing() {
		return false;
	}

	/** Sets the date if the status is the one that follows a payment, or a later one. */
	public function maybe_set_date_paid() {
		$after_payment = apply_filters( 'woocommerce_payment_complete_order_status', $this->needs_processing() ? 'processing' : 'completed', $this->id, $this );
		if ( ! $this->get_date_paid() && ( $this->has_status( $after_payment ) || ( 'processing' === $after_payment && $this->has_status( 'completed' ) ) ) ) {
			$this->set_prop( 'date_paid', wc_string_to_datetime( time() ) );
		}
	}

	public function is_paid() {
		return $this->has_status( wc_get_is_paid_statuses() );
	}

	public function set_status( $new_status, $note = '', $manual_update = false ) {
		$result = parent::set_status( $new_status );
		if ( $this->object_read && ! empty( $result['from'] ) && $result['from'] !== $result['to'] ) {
			$this->maybe_set_date_paid();
			$this->status_transition = array( 'from' => $this->status_transition['from'] ?? $result['from'], 'to' => $result['to'], 'note' => $note, 'manual' => (bool) $manual_update );
			if ( $manual_update ) {
				do_action( 'woocommerce_order_edit_status', $this->id, $result['to'] );
			}
		}
		return $result;
	}

	public function update_status( $new_status, $note = '', $manual = false ) {
		if ( ! $this->id ) {
			return false;
		}
		try {
			$this->set_status( $new_status, $note, $manual );
			$this->save();
		} catch ( Exception $e ) {
			wc_get_logger()->error( 'Error updating status', array( 'error' => $e ) );
			return false;
		}
		return true;
	}

	public function payment_complete( $transaction_id = '' ) {
		if ( ! $this->id || ! $this->has_status( array( 'on-hold', 'pending', 'failed', 'cancelled' ) ) ) {
			return false;
		}
		$this->set_status( apply_filters( 'woocommerce_payment_complete_order_status', $this->needs_processing() ? 'processing' : 'completed', $this->id, $this ) );
		$this->save();
		do_action( 'woocommerce_payment_complete', $this->id, $transaction_id );
		return true;
	}

	public function save() {
		if ( ! $this->get_billing_email() && $this->get_user() ) {
			$this->set_billing_email( $this->get_user()->user_email );
		}
		parent::save();
		$this->status_transition();
		return $this->id;
	}

	protected function before_create() {
		if ( '' === $this->get_order_key() ) {
			$this->set_order_key( 'wc_order_' . wp_generate_password( 13, false ) );
		}
		if ( '' === $this->get_status( 'edit' ) ) {
			$this->set_prop( 'status', $this->get_status() );
		}
	}

	/** An Exception of a callback is caught, and later callbacks are skipped. An Error reaches the checkout. */
	private function status_transition() {
		$change                  = $this->status_transition;
		$this->status_transition = false;
		if ( ! $change ) {
			return;
		}
		try {
			do_action( "woocommerce_order_status_{$change['to']}", $this->id, $this, $change );
			if ( ! in_array( $change['from'], array( 'draft', 'auto-draft', 'new', 'checkout-draft' ), true ) ) {
				$this->add_order_note( trim( "{$change['note']} Order status changed from {$change['from']} to {$change['to']}." ), 0, $change['manual'] );
			}
			do_action( "woocommerce_order_status_{$change['from']}_to_{$change['to']}", $this->id, $this );
			do_action( 'woocommerce_order_status_changed', $this->id, $change['from'], $change['to'], $this );
		} catch ( Exception $e ) {
			wc_get_logger()->error( "Status transition of order #{$this->id} errored!", array( 'error' => $e ) );
			$this->add_order_note( 'Error during status transition. ' . $e->getMessage() );
		}
	}

	public function untrash() {
		return $this->store()->untrash( $this );
	}

	public function add_order_note( $note, $is_customer_note = 0, $added_by_user = false, $meta_data = array() ) {
		return $this->id ? wc_store_order_note( $this, $note, (bool) $is_customer_note, (bool) $added_by_user ) : 0;
	}
}
