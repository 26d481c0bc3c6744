<?php
/**
 * Registration of the mails.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Emails;


/**
 * Registers the mails only through WooCommerce's filters. WC()->mailer() loads WC_Email, so a class that extends it must not load earlier.
 * The block email editor lists only registered mails.
 */
final class EmailParts {

	public const CONFIRMATION = 'tillsync_confirmation';

	/** Ids of the plugin's mails. They are not in the classes of the mails, which cannot load without WooCommerce. */
	public const IDS = array( Digest::EMAIL_ID, self::CONFIRMATION );

	/**
	 * @param mixed $emails Emails of WooCommerce and other plugins.
	 * @return mixed
	 */
	public function with_classes( $emails = array() ) {
		return is_array( $emails ) ? $emails + array( AttentionEmail::CLASS_KEY => new AttentionEmail(), ConfirmationEmail::CLASS_KEY => new ConfirmationEmail() ) : $emails;
	}

	/**
	 * @param mixed $ids Ids of the mails that the block editor lists.
	 * @return mixed
	 */
	public function with_ids( $ids = array() ) {
		return is_array( $ids ) ? array_values( array_unique( array_merge( $ids, self::IDS ) ) ) : $ids;
	}

	/** Returns the folder of the plugin's templates. */
	public static function templates(): string {
		return plugin_dir_path( \Tillsync\Bridge\PLUGIN_FILE ) . 'templates/';
	}

	/**
	 * @param mixed $file WooCommerce's path of the template.
	 * @param mixed $name Name of the template.
	 * @return mixed
	 */
	public function located( $file = '', $name = '' ) {
		$is_own = is_string( $name ) && preg_match( '#^emails/(plain/|block/)?tillsync-(attention|confirmation)(-content)?\.php$#D', $name );
		return $is_own && is_string( $file ) && ! file_exists( $file ) ? self::templates() . $name : $file;
	}
}
