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

	/**
	 * What Save was pressed with and the service did not take.
	 *
	 * @var array{settings: array<string, bool|string>, statuses: string[]}|null
	 */
	private ?array $refused = null;

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
		Guarded::call( $this->services, 'settings screen', fn() => $this->services->get( SettingsScreen::class )->show( $this->refused ) );
	}

	/** Save: what differs goes to the service; the statuses stay here. */
	public function process_admin_options(): bool {
		if ( ! current_user_can( AdminGate::CAPABILITY ) || ! wp_verify_nonce( sanitize_key( wp_unslash( $_POST['_wpnonce'] ?? '' ) ), 'woocommerce-settings' ) || ! SettingsInput::is_given() ) {
			return false;
		}
		$changes = array();
		try {
			ChosenStatuses::choose( SettingsInput::statuses() );
			$changes = $this->settings()->differing( SettingsInput::read() );
			foreach ( array() === $changes ? array() : SettingsWords::effect( $this->change( $changes ), false ) as $line ) {
				WC_Admin_Settings::add_message( $line );
			}
			if ( $this->settings()->knows_trust() ) {
				$this->settings()->trust_is_decided();
			}
			return true;
		} catch ( ServiceError $error ) {
			$is_overtaken = 'aborted' === $error->connect_code;
			WC_Admin_Settings::add_error( $is_overtaken ? __( 'Somebody else has changed these settings meanwhile. Theirs are shown below, with your changes: look at them and save again.', 'tillsync-bridge' ) : SettingsWords::failure( $error ) );
		} catch ( \Throwable $error ) {
			$this->services->log()->failure( 'saving settings', $error );
			WC_Admin_Settings::add_error( __( 'The settings could not be saved: see the log of Tillsync.', 'tillsync-bridge' ) );
		}
		$this->refused = array( 'settings' => $changes, 'statuses' => ChosenStatuses::get() );
		return false;
	}

	/**
	 * The etag also changes with links made by hand. Then the settings are as they were shown, and the change is made all the same.
	 *
	 * @param array<string, bool|string> $changes Of SiteSettings.
	 * @return array{customers: int, types: int, entries: int, notes: string[]}
	 * @throws ServiceError Code "aborted": somebody else has changed the settings; they are known here by now.
	 */
	private function change( array $changes ): array {
		$shown = $this->settings()->known();
		try {
			return $this->settings()->change( $changes );
		} catch ( ServiceError $error ) {
			if ( 'aborted' !== $error->connect_code ) {
				throw $error;
			}
			$this->settings()->refresh();
			if ( $this->settings()->known() !== $shown ) {
				throw $error;
			}
			return $this->settings()->change( $changes );
		}
	}

	private function settings(): SiteSettings {
		return $this->services->get( SiteSettings::class );
	}
}
