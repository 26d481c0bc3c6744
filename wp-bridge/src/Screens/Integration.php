<?php
/**
 * The settings screen as WooCommerce wants it.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;

use Tillsync\Bridge\Connection\SiteSettings;
use Tillsync\Bridge\Guarded;
use Tillsync\Bridge\Orders\ChosenStatuses;
use Tillsync\Bridge\Plugin;
use Tillsync\Bridge\Rest\AdminGate;
use Tillsync\Bridge\Service\ServiceError;
use Tillsync\Bridge\Services;
use WC_Admin_Settings;
use WC_Integration;

/** Made by WooCommerce, without arguments. Buttons other than Save go to SettingsActions. */
final class Integration extends WC_Integration {

	public const ID = 'tillsync';

	private Services $services;

	public function __construct() {
		$this->id                 = self::ID;
		$this->method_title       = 'Tillsync';
		$this->method_description = '';
		$this->services           = Plugin::services();
		add_action( 'woocommerce_update_options_integration_' . self::ID, array( $this, 'process_admin_options' ) );
	}

	public function admin_options(): void {
		// Every button of this screen is ours, and says what it does.
		$GLOBALS['hide_save_button'] = true; // phpcs:ignore WordPress.NamingConventions.PrefixAllGlobals
		Guarded::call( $this->services, 'settings screen', fn() => $this->services->get( SettingsScreen::class )->show() );
	}

	/** Save: what differs goes to the service; the statuses stay here. */
	public function process_admin_options(): bool {
		if ( ! current_user_can( AdminGate::CAPABILITY ) || ! wp_verify_nonce( sanitize_key( wp_unslash( $_POST['_wpnonce'] ?? '' ) ), 'woocommerce-settings' ) || ! isset( $_POST['tillsync_settings'] ) ) {
			return false;
		}
		$settings = $this->services->get( SiteSettings::class );
		try {
			ChosenStatuses::choose( array_map( 'sanitize_key', (array) wp_unslash( $_POST['tillsync_statuses'] ?? array() ) ) );
			$changes = $settings->differing( SettingsInput::read() );
			if ( array() !== $changes ) {
				foreach ( SettingsWords::effect( $settings->change( $changes ), false ) as $line ) {
					WC_Admin_Settings::add_message( $line );
				}
			}
			return true;
		} catch ( ServiceError $error ) {
			if ( 'aborted' === $error->connect_code ) {
				Guarded::call( $this->services, 'settings', static fn() => $settings->refresh() );
				WC_Admin_Settings::add_error( __( 'Somebody else has changed these settings meanwhile: they are shown as they are now. Make your change again.', 'tillsync-bridge' ) );
			} else {
				WC_Admin_Settings::add_error( SettingsWords::failure( $error ) );
			}
		} catch ( \Throwable $error ) {
			$this->services->log()->failure( 'saving settings', $error );
			WC_Admin_Settings::add_error( __( 'The settings could not be saved: see the log of Tillsync.', 'tillsync-bridge' ) );
		}
		return false;
	}
}
