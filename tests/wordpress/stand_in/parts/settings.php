<?php
/** The API of settings forms, integrations, and the page WooCommerce → Settings. */

abstract class WC_Settings_API {
	public $plugin_id   = 'woocommerce_';
	public $id          = '';
	public $errors      = array();
	public $settings    = array();
	public $form_fields = array();

	public function get_option_key() {
		return $this->plugin_id . $this->id . '_settings';
	}

	public function init_form_fields() {}

	public function get_form_fields() {
		return apply_filters( 'woocommerce_settings_api_form_fields_' . $this->id, $this->form_fields );
	}

	public function init_settings() {
		$stored         = get_option( $this->get_option_key(), null );
		$this->settings = is_array( $stored ) ? $stored : array_map( static fn( $field ) => $field['default'] ?? '', $this->get_form_fields() );
	}

	public function get_option( $key, $empty_value = null ) {
		if ( empty( $this->settings ) ) {
			$this->init_settings();
		}
		$value = $this->settings[ $key ] ?? $this->get_form_fields()[ $key ]['default'] ?? '';
		return null !== $empty_value && '' === $value ? $empty_value : $value;
	}

	public function update_option( $key, $value = '' ) {
		$this->init_settings();
		$this->settings[ $key ] = $value;
		return update_option( $this->get_option_key(), $this->settings, 'yes' );
	}

	public function get_field_key( $key ) {
		return $this->plugin_id . $this->id . '_' . $key;
	}

	public function get_post_data() {
		return $_POST; // phpcs:ignore
	}

	public function process_admin_options() {
		$this->init_settings();
		foreach ( $this->get_form_fields() as $key => $field ) {
			if ( 'title' === ( $field['type'] ?? 'text' ) ) {
				continue;
			}
			$posted                 = $this->get_post_data()[ $this->get_field_key( $key ) ] ?? null;
			$this->settings[ $key ] = 'checkbox' === ( $field['type'] ?? '' ) ? ( null === $posted ? 'no' : 'yes' ) : wp_kses_post( trim( wp_unslash( (string) $posted ) ) );
		}
		return update_option( $this->get_option_key(), apply_filters( 'woocommerce_settings_api_sanitized_fields_' . $this->id, $this->settings ), 'yes' );
	}

	public function add_error( $error ) {
		$this->errors[] = $error;
	}

	public function get_errors() {
		return $this->errors;
	}

	public function display_errors() {
		foreach ( $this->errors as $error ) {
			echo '<div class="error inline"><p>' . wp_kses_post( $error ) . '</p></div>';
		}
	}

	public function generate_settings_html( $form_fields = array(), $echo = true ) {
		$html = '';
		foreach ( $form_fields ? $form_fields : $this->get_form_fields() as $key => $field ) {
			$type = $field['type'] ?? 'text';
			if ( is_callable( array( $this, "generate_{$type}_html" ) ) ) {
				$html .= $this->{"generate_{$type}_html"}( $key, $field );
				continue;
			}
			$name  = esc_attr( $this->get_field_key( $key ) );
			$value = esc_attr( $this->get_option( $key ) );
			if ( 'title' === $type ) {
				$html .= '</table><h3 class="wc-settings-sub-title">' . wp_kses_post( $field['title'] ) . '</h3><p>' . wp_kses_post( $field['description'] ?? '' ) . '</p><table class="form-table">';
				continue;
			}
			$input = "<input class='input-text' type='" . esc_attr( $type ) . "' name='$name' id='$name' value='$value' />";
			if ( 'checkbox' === $type ) {
				$input = "<label for='$name'><input type='checkbox' name='$name' id='$name' value='1' " . checked( 'yes', $this->get_option( $key ), false ) . ' /> ' . esc_html( $field['label'] ?? '' ) . '</label>';
			} elseif ( 'textarea' === $type ) {
				$input = "<textarea name='$name' id='$name'>" . esc_textarea( $this->get_option( $key ) ) . '</textarea>';
			} elseif ( 'select' === $type ) {
				$input = "<select name='$name' id='$name'>";
				foreach ( $field['options'] as $option => $label ) {
					$input .= "<option value='" . esc_attr( $option ) . "' " . selected( $option, $this->get_option( $key ), false ) . '>' . esc_html( $label ) . '</option>';
				}
				$input .= '</select>';
			}
			$html .= "<tr valign='top'><th scope='row' class='titledesc'><label for='$name'>" . wp_kses_post( $field['title'] ?? '' ) . "</label></th><td class='forminp'>$input<p class='description'>" . wp_kses_post( $field['description'] ?? '' ) . '</p></td></tr>';
		}
		if ( $echo ) {
			echo $html; // phpcs:ignore
			return '';
		}
		return $html;
	}

	public function admin_options() {
		echo '<table class="form-table">' . $this->generate_settings_html( $this->get_form_fields(), false ) . '</table>'; // phpcs:ignore
	}
}

abstract class WC_Integration extends WC_Settings_API {
	public $enabled            = 'yes';
	public $method_title       = '';
	public $method_description = '';

	public function get_method_title() {
		return apply_filters( 'woocommerce_integration_title', $this->method_title, $this );
	}

	public function get_method_description() {
		return apply_filters( 'woocommerce_integration_description', $this->method_description, $this );
	}

	public function admin_options() {
		echo '<h2>' . esc_html( $this->get_method_title() ) . '</h2>';
		echo wp_kses_post( wpautop( $this->get_method_description() ) );
		echo '<div><input type="hidden" name="section" value="' . esc_attr( $this->id ) . '" /></div>';
		parent::admin_options();
	}

	public function init_settings() {
		parent::init_settings();
		$this->enabled = ! empty( $this->settings['enabled'] ) && 'yes' === $this->settings['enabled'] ? 'yes' : 'no';
	}
}

final class WC_Integrations {
	/** @var array<string, WC_Integration> */
	public $integrations = array();

	public function __construct() {
		foreach ( apply_filters( 'woocommerce_integrations', array() ) as $class ) {
			$made                            = is_object( $class ) ? $class : new $class();
			$this->integrations[ $made->id ] = $made;
		}
	}

	public function get_integrations() {
		return $this->integrations;
	}

	public function get_integration( $id ) {
		return $this->integrations[ $id ] ?? null;
	}
}

class WC_Admin_Settings {
	private static $notices = array( 'updated' => array(), 'error' => array() );

	public static function add_message( $text ) {
		self::$notices['updated'][] = $text;
	}

	public static function add_error( $text ) {
		self::$notices['error'][] = $text;
	}

	public static function show_messages() {
		foreach ( self::$notices as $class => $texts ) {
			foreach ( $texts as $text ) {
				echo '<div id="message" class="' . esc_attr( $class ) . ' inline"><p><strong>' . esc_html( $text ) . '</strong></p></div>';
			}
		}
	}

	public static function save( $tab, $section ) {
		check_admin_referer( 'woocommerce-settings' );
		do_action( "woocommerce_settings_save_$tab" );
		if ( 'integration' === $tab ) {
			do_action( "woocommerce_update_options_integration_$section" );
		}
		do_action( "woocommerce_update_options_$tab" );
		do_action( 'woocommerce_update_options' );
		self::add_message( 'Your settings have been saved.' );
	}

	public static function output() {
		$tab     = sanitize_title( wp_unslash( $_GET['tab'] ?? 'general' ) ); // phpcs:ignore
		$all     = 'integration' === $tab ? WC()->integrations->get_integrations() : array();
		$section = sanitize_title( wp_unslash( $_REQUEST['section'] ?? (string) key( $all ) ) ); // phpcs:ignore
		if ( ! empty( $_POST['save'] ) ) { // phpcs:ignore
			self::save( $tab, $section );
		}
		echo '<div class="wrap woocommerce"><form method="post" id="mainform" action="" enctype="multipart/form-data"><h1 class="screen-reader-text">' . esc_html( ucfirst( $tab ) ) . '</h1>';
		self::show_messages();
		if ( isset( $all[ $section ] ) ) {
			$all[ $section ]->admin_options();
		}
		if ( empty( $GLOBALS['hide_save_button'] ) ) {
			echo '<p class="submit"><button name="save" class="button-primary woocommerce-save-button" type="submit" value="Save changes">Save changes</button>';
			wp_nonce_field( 'woocommerce-settings' );
			echo '</p>';
		}
		echo '</form></div>';
	}
}

// This matches the script of WooCommerce's settings page. After a field was changed, leaving the page asks for confirmation, except by a
// button inside ".submit". Only fields and buttons that exist when the page is ready count.
add_action(
	'admin_print_footer_scripts',
	static function () {
		if ( 'wc-settings' !== ( $_GET['page'] ?? '' ) ) { // phpcs:ignore
			return;
		}
		echo "<script>addEventListener( 'DOMContentLoaded', () => {
			const all = ( of, names, work ) => document.querySelectorAll( of ).forEach( one => names.forEach( name => one.addEventListener( name, work ) ) );
			all( 'input, textarea, select', [ 'change', 'input' ], () => { window.onbeforeunload = () => 'changed'; } );
			all( '.submit input, .submit button', [ 'click' ], () => { window.onbeforeunload = null; } );
		} );</script>"; // phpcs:ignore
	}
);

add_action(
	'admin_menu',
	static function () {
		add_menu_page( 'WooCommerce', 'WooCommerce', 'edit_others_shop_orders', 'woocommerce', '__return_null', 'dashicons-cart', '55.5' );
		add_submenu_page( 'woocommerce', 'WooCommerce settings', 'Settings', 'manage_woocommerce', 'wc-settings', array( 'WC_Admin_Settings', 'output' ) );
	},
	9
);
