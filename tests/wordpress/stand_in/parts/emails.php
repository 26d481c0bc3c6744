<?php
/** The first WC()->mailer() loads this file. Before that WC_Email does not exist and cannot be extended. */

class WC_Email extends WC_Settings_API {
	public $title          = '';
	public $description    = '';
	public $enabled        = 'yes';
	public $heading        = '';
	public $subject        = '';
	public $template_html  = '';
	public $template_plain = '';
	public $template_base  = '';
	public $recipient      = '';
	public $customer_email = false;
	public $manual         = false;
	public $object         = false;
	public $email_type     = 'html';
	public $placeholders   = array();

	public function __construct() {
		$this->placeholders += array( '{site_title}' => $this->get_blogname(), '{site_url}' => wp_parse_url( home_url(), PHP_URL_HOST ) );
		$this->template_base = $this->template_base ? $this->template_base : WC()->plugin_path() . '/templates/';
		$this->init_form_fields();
		$this->init_settings();
		$this->email_type = $this->get_option( 'email_type', 'html' );
		$this->enabled    = $this->get_option( 'enabled', 'yes' );
		add_action( 'woocommerce_update_options_email_' . $this->id, array( $this, 'process_admin_options' ) );
	}

	public function init_form_fields() {
		$this->form_fields = array(
			'enabled'            => array( 'title' => 'Enable/Disable', 'type' => 'checkbox', 'label' => 'Enable this email notification', 'default' => 'yes' ),
			'subject'            => array( 'title' => 'Subject', 'type' => 'text', 'default' => '' ),
			'heading'            => array( 'title' => 'Email heading', 'type' => 'text', 'default' => '' ),
			'additional_content' => array( 'title' => 'Additional content', 'type' => 'textarea', 'default' => $this->get_default_additional_content() ),
			'email_type'         => array( 'title' => 'Email type', 'type' => 'select', 'default' => 'html', 'options' => $this->get_email_type_options() ),
		);
	}

	public function get_email_type_options() {
		return array( 'plain' => 'Plain text', 'html' => 'HTML', 'multipart' => 'Multipart' );
	}

	public function get_default_subject() {
		return $this->subject;
	}

	public function get_default_heading() {
		return $this->heading;
	}

	public function get_default_additional_content() {
		return '';
	}

	public function get_additional_content() {
		return $this->format_string( $this->get_option( 'additional_content', $this->get_default_additional_content() ) );
	}

	public function get_subject() {
		return apply_filters( 'woocommerce_email_subject_' . $this->id, $this->format_string( $this->get_option( 'subject', $this->get_default_subject() ) ), $this->object, $this );
	}

	public function get_heading() {
		return apply_filters( 'woocommerce_email_heading_' . $this->id, $this->format_string( $this->get_option( 'heading', $this->get_default_heading() ) ), $this->object, $this );
	}

	public function get_title() {
		return $this->title;
	}

	public function get_description() {
		return $this->description;
	}

	public function get_recipient() {
		$recipient = apply_filters( 'woocommerce_email_recipient_' . $this->id, $this->recipient, $this->object, $this );
		return implode( ', ', array_filter( array_map( 'trim', explode( ',', (string) $recipient ) ), 'is_email' ) );
	}

	public function format_string( $text ) {
		return str_replace( array_keys( $this->placeholders ), array_values( $this->placeholders ), $text );
	}

	public function get_blogname() {
		return wp_specialchars_decode( get_option( 'blogname' ), ENT_QUOTES );
	}

	public function is_enabled() {
		return apply_filters( 'woocommerce_email_enabled_' . $this->id, 'yes' === $this->enabled, $this->object, $this );
	}

	public function is_customer_email() {
		return $this->customer_email;
	}

	public function is_manual() {
		return $this->manual;
	}

	public function get_email_type() {
		return $this->email_type ? $this->email_type : 'plain';
	}

	public function get_content_type() {
		return array( 'html' => 'text/html', 'multipart' => 'multipart/alternative' )[ $this->get_email_type() ] ?? 'text/plain';
	}

	public function get_headers() {
		return apply_filters( 'woocommerce_email_headers', 'Content-Type: ' . $this->get_content_type() . "\r\n", $this->id, $this->object, $this );
	}

	public function get_attachments() {
		return apply_filters( 'woocommerce_email_attachments', array(), $this->id, $this->object, $this );
	}

	public function get_content() {
		return 'plain' === $this->get_email_type() ? wordwrap( wp_strip_all_tags( $this->get_content_plain() ), 70 ) : $this->get_content_html();
	}

	public function get_content_plain() {
		return '';
	}

	public function get_content_html() {
		return '';
	}

	public function style_inline( $content ) {
		return $content;
	}

	public function get_from_name( $from_name = '' ) {
		return get_option( 'blogname' );
	}

	public function get_from_address( $from_email = '' ) {
		return get_option( 'admin_email' );
	}

	public function setup_locale() {}

	public function restore_locale() {}

	public function send( $to, $subject, $message, $headers, $attachments ) {
		$sent = wp_mail( $to, $subject, apply_filters( 'woocommerce_mail_content', $this->style_inline( $message ) ), $headers, $attachments );
		do_action( 'woocommerce_email_sent', $sent, $this->id, $this );
		return $sent;
	}
}

class WC_Emails {
	/** @var array<string, WC_Email> */
	public $emails = array();

	public function __construct() {
		$this->emails = apply_filters( 'woocommerce_email_classes', array() );
		add_action( 'woocommerce_email_header', static fn( $heading ) => print( '<html><body><h1>' . esc_html( $heading ) . '</h1>' ) );
		add_action( 'woocommerce_email_footer', static fn() => print( '</body></html>' ) );
		do_action( 'woocommerce_email', $this );
	}

	public function get_emails() {
		return $this->emails;
	}

	public function wrap_message( $heading, $message ) {
		ob_start();
		do_action( 'woocommerce_email_header', $heading, null );
		echo wp_kses_post( wpautop( wptexturize( $message ) ) );
		do_action( 'woocommerce_email_footer', null );
		return ob_get_clean();
	}
}
