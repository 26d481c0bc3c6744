<?php
/** Objects with properties, changes and meta. */

class WC_Data_Exception extends Exception {
	public function __construct( $code, $message, $http_status_code = 400 ) {
		parent::__construct( $message, $http_status_code );
	}
}

class WC_DateTime extends DateTime {
	public function getOffsetTimestamp() {
		return $this->getTimestamp() + (int) ( (float) get_option( 'gmt_offset' ) * HOUR_IN_SECONDS );
	}

	public function date( $format ) {
		return gmdate( $format, $this->getOffsetTimestamp() );
	}

	public function date_i18n( $format = 'Y-m-d' ) {
		return date_i18n( $format, $this->getOffsetTimestamp() );
	}
}

function wc_string_to_datetime( $value ) {
	$time = is_numeric( $value ) ? (int) $value : strtotime( get_gmt_from_date( gmdate( 'Y-m-d H:i:s', strtotime( $value . ' UTC' ) ) ) . ' UTC' );
	return new WC_DateTime( "@$time", new DateTimeZone( 'UTC' ) );
}

class WC_Meta_Data {
	public $id;
	public $key;
	public $value;
	private $stored;

	public function __construct( $meta ) {
		list( $this->id, $this->key, $this->value ) = array( $meta['id'] ?? null, $meta['key'], $meta['value'] );
		$this->apply_changes();
	}

	public function apply_changes() {
		$this->stored = array( 'id' => $this->id, 'key' => $this->key, 'value' => $this->value );
	}

	public function get_data() {
		return $this->stored;
	}

	public function get_changes() {
		return array_filter( array( 'key' => $this->key, 'value' => $this->value ), fn( $name ) => $this->stored[ $name ] !== $this->$name, ARRAY_FILTER_USE_KEY );
	}
}

abstract class WC_Data {
	protected $id          = 0;
	protected $data        = array();
	protected $changes     = array();
	protected $object_read = false;
	/** @var WC_Meta_Data[]|null Null until it is read. */
	protected $meta_data = null;

	public function get_id() {
		return $this->id;
	}

	public function set_id( $id ) {
		$this->id = absint( $id );
	}

	public function get_changes() {
		return $this->changes;
	}

	public function get_data() {
		return array_merge( array( 'id' => $this->id ), $this->data, array( 'meta_data' => $this->get_meta_data() ) );
	}

	public function apply_changes() {
		$this->data    = array_replace( $this->data, $this->changes );
		$this->changes = array();
	}

	public function set_object_read( $read = true ) {
		$this->object_read = (bool) $read;
	}

	protected function get_prop( $prop, $context = 'view' ) {
		return $this->changes[ $prop ] ?? $this->data[ $prop ] ?? null;
	}

	protected function set_prop( $prop, $value ) {
		if ( ! $this->object_read ) {
			$this->data[ $prop ] = $value;
		} elseif ( $value !== ( $this->data[ $prop ] ?? null ) || array_key_exists( $prop, $this->changes ) ) {
			$this->changes[ $prop ] = $value;
		}
	}

	/** @param array<string, mixed> $props */
	public function set_props( $props ) {
		foreach ( $props as $prop => $value ) {
			if ( is_callable( array( $this, "set_$prop" ) ) ) {
				$this->{"set_$prop"}( $value );
			}
		}
	}

	abstract protected function meta_store();

	protected function maybe_read_meta_data() {
		if ( null === $this->meta_data ) {
			$this->meta_data = $this->id ? array_map( static fn( $row ) => new WC_Meta_Data( $row ), $this->meta_store()->read_meta( $this->id ) ) : array();
		}
	}

	public function read_meta_data( $force = false ) {
		if ( $force ) {
			$this->meta_data = null;
		}
		$this->maybe_read_meta_data();
	}

	public function get_meta_data() {
		$this->maybe_read_meta_data();
		return array_values( array_filter( $this->meta_data, static fn( $meta ) => null !== $meta->value ) );
	}

	public function get_meta( $key = '', $single = true, $context = 'view' ) {
		$found = array_values( array_filter( $this->get_meta_data(), static fn( $meta ) => $meta->key === $key ) );
		return $single ? ( $found ? $found[0]->value : '' ) : $found;
	}

	public function meta_exists( $key = '' ) {
		return (bool) $this->get_meta( $key, false );
	}

	public function add_meta_data( $key, $value, $unique = false ) {
		$this->maybe_read_meta_data();
		if ( $unique ) {
			$this->delete_meta_data( $key );
		}
		$meta              = new WC_Meta_Data( array( 'key' => $key, 'value' => $value ) );
		$this->meta_data[] = $meta;
	}

	public function update_meta_data( $key, $value, $meta_id = 0 ) {
		$this->maybe_read_meta_data();
		$found = array_values( array_filter( $this->meta_data, static fn( $meta ) => $meta_id ? (int) $meta->id === (int) $meta_id : $meta->key === $key ) );
		if ( ! $found ) {
			$this->add_meta_data( $key, $value, true );
			return;
		}
		foreach ( $found as $meta ) {
			$meta->value = null;
		}
		$found[0]->key   = $key;
		$found[0]->value = $value;
	}

	public function delete_meta_data( $key ) {
		$this->maybe_read_meta_data();
		foreach ( $this->meta_data as $meta ) {
			if ( $meta->key === $key ) {
				$meta->value = null;
			}
		}
	}

	public function delete_meta_data_by_mid( $meta_id ) {
		$this->maybe_read_meta_data();
		foreach ( $this->meta_data as $meta ) {
			if ( (int) $meta->id === (int) $meta_id ) {
				$meta->value = null;
			}
		}
	}

	public function save_meta_data() {
		foreach ( $this->meta_data ?? array() as $index => $meta ) {
			if ( null === $meta->value ) {
				if ( $meta->id ) {
					$this->meta_store()->delete_meta( $this->id, $meta->id );
					$this->after_meta_change();
				}
				unset( $this->meta_data[ $index ] );
			} elseif ( ! $meta->id ) {
				$meta->id = $this->meta_store()->add_meta( $this->id, $meta->key, $meta->value );
				$meta->apply_changes();
				$this->after_meta_change();
			} elseif ( $meta->get_changes() ) {
				$this->meta_store()->update_meta( $this->id, $meta->id, $meta->key, $meta->value );
				$meta->apply_changes();
				$this->after_meta_change();
			}
		}
	}

	protected function after_meta_change() {}
}
