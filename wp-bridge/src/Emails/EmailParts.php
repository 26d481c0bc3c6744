<?php
/**
 * Hangs our mails into WooCommerce.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Emails;

use Tillsync\Bridge\Guarded;
use Tillsync\Bridge\Part;
use Tillsync\Bridge\Schedule;
use Tillsync\Bridge\Services;

/**
 * Only through WooCommerce's two filters: WC_Email is loaded by WC()->mailer(), so a class that extends it must not be loaded before, and
 * the block email editor lists only what is registered with it.
 */
final class EmailParts implements Part {

	private Services $services;

	public function __construct( Services $services ) {
		$this->services = $services;
	}

	public function register(): void {
		add_filter( 'woocommerce_email_classes', Guarded::filter( $this->services, 'woocommerce_email_classes', static fn( $emails = array() ) => is_array( $emails ) ? $emails + array( AttentionEmail::CLASS_KEY => new AttentionEmail(), ConfirmationEmail::CLASS_KEY => new ConfirmationEmail() ) : $emails ) );
		add_filter( 'woocommerce_transactional_emails_for_block_editor', Guarded::filter( $this->services, 'woocommerce_transactional_emails_for_block_editor', static fn( $ids = array() ) => is_array( $ids ) ? array_values( array_unique( array_merge( $ids, array( Digest::EMAIL_ID, ConfirmationEmail::EMAIL_ID ) ) ) ) : $ids ) );
		// Some versions look for the template of the block editor in WooCommerce's own folder only.
		add_filter( 'woocommerce_locate_template', Guarded::filter( $this->services, 'woocommerce_locate_template', static fn( $file = '', $name = '' ) => self::located( $file, $name ) ), 10, 2 );
		add_action( Schedule::MINUTE, Guarded::action( $this->services, 'mail', fn() => $this->services->get( Digest::class )->send_due() ), 30 );
	}

	/** Where our templates are. */
	public static function templates(): string {
		return plugin_dir_path( \Tillsync\Bridge\PLUGIN_FILE ) . 'templates/';
	}

	/**
	 * @param mixed $file Where WooCommerce would look.
	 * @param mixed $name Of the template.
	 * @return mixed
	 */
	private static function located( $file, $name ) {
		$ours = is_string( $name ) && preg_match( '#^emails/(plain/|block/)?tillsync-(attention|confirmation)(-content)?\.php$#D', $name );
		return $ours && is_string( $file ) && ! file_exists( $file ) ? self::templates() . $name : $file;
	}
}
